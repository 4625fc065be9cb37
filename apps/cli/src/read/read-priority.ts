import { CliError } from '../cli-error.ts';

/** A whole number from -100 to 100. */
export function readPriority(text: string, what: string): number {
  const wanted = /^-?\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (wanted >= -100 && wanted <= 100) return wanted;
  throw new CliError(
    'usage.option',
    `${what} ${text} is none.`,
    'Write a whole number from -100 to 100; higher comes first.',
  );
}
