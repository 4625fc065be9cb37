import type { Counter } from '@writ/contract';
import { CliError } from '../cli-error.ts';

const COUNTER = /^([a-z0-9](?:[a-z0-9._/-]{0,61}[a-z0-9])?)(?:=([1-9]\d{0,5}))?$/;

/** `name` or `name=3`. */
export function readCounter(text: string, option: string): Counter {
  const [, name, amount] = COUNTER.exec(text) ?? [];
  if (name !== undefined) return { name, amount: Number(amount ?? 1) };
  throw new CliError(
    'usage.option',
    `${option} ${text} is no counter.`,
    `Write ${option} licence=2: small letters, digits and . _ / - in the name, then a whole number.`,
  );
}
