import { CliError } from '../cli-error.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

export function secondsText(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** Exactly, in the largest unit of which it is a whole number: `7d`. */
export function keptText(seconds: number): string {
  const unit = (['d', 'h', 'm'] as const).find((one) => seconds % (SECONDS[one] ?? 1) === 0) ?? 's';
  return `${seconds / (SECONDS[unit] ?? 1)}${unit}`;
}

const SECONDS: Record<string, number> = { s: 1, m: 60, min: 60, h: 3600, d: 86_400 };

/** `90`, `90s`, `10m`, `2h`, `7d`: whole seconds. */
export function parseSeconds(text: string, option: string, mostDays?: number): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(s|m|min|h|d)?$/.exec(text) ?? [];
  const seconds = Math.round(Number(number) * (SECONDS[unit ?? 's'] ?? 1));
  if (number !== undefined && mostDays !== undefined && seconds > mostDays * 86_400) {
    throw new CliError(
      'usage.option',
      `${option} ${text} is too long: ${mostDays} days are the most.`,
      `Write ${option} ${mostDays}d, or less.`,
    );
  }
  if (number !== undefined && Number.isSafeInteger(seconds) && seconds > 0) return seconds;
  throw new CliError('usage.option', `${option} ${text} is not a duration.`, 'Write 90, 90s, 10m, 2h or 7d.');
}

const FACTORS: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** `512M`, `2G`, `1GiB`, `1048576`: bytes. */
export function parseBytes(text: string, option: string, least = 0): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text) ?? [];
  const bytes = Math.round(Number(number) * (FACTORS[(unit ?? '').toLowerCase()] ?? 1));
  if (number !== undefined && bytes < least) {
    throw new CliError(
      'usage.option',
      `${option} ${text} is too little: no job starts with less than ${bytesText(least)}.`,
      'Write 8388608, 512M or 2G.',
    );
  }
  if (number !== undefined && Number.isSafeInteger(bytes)) return bytes;
  throw new CliError('usage.option', `${option} ${text} is not a size.`, 'Write 8388608, 512M or 2G.');
}

export function parseWhole(text: string, option: string, least: number, most: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw new CliError('usage.option', `${option} ${text} is not a whole number from ${least} to ${most}.`);
}
