import type { ReceiptPredicate } from '@writ/contract';

/** What an adopting receipt repeats of the one that stands. */
export type Success = Pick<
  ReceiptPredicate,
  | 'attempt'
  | 'exit'
  | 'variant'
  | 'profile'
  | 'started'
  | 'ended'
  | 'outputs'
  | 'stdout'
  | 'stderr'
  | 'resources'
> & { readonly receipt: string };

/**
 * One JSON list per line of `replay.log`, its first element says which:
 * `b` a process begins, under this boot of the machine · `c` it ended in order · `m` purge mark · `w` newest witnessed
 * time · `l` a write was lost · `o` an order gets a short number · `r` batch reserved, durable before its first start · `s` start mark ·
 * `e` end · `u` handed back unstarted · `k` tasks as compacted (index, highest attempt, last).
 */
export type ReplayLine =
  | readonly ['b', string | null]
  | readonly ['c']
  | readonly ['m', number]
  | readonly ['w', number]
  | readonly ['l']
  | readonly ['o', number, string, string, string, number]
  /** The second element counts reservations: a missing one shows. Then pairs of index and attempt. */
  | readonly ['r', number, number, readonly number[]]
  | readonly ['s', number, number, number]
  | readonly ['e', number, number, number, Success | 0]
  | readonly ['u', number, readonly number[]]
  | readonly ['k', number, readonly number[]];

export const writeLine = (line: ReplayLine): string => `${JSON.stringify(line)}\n`;

/** @returns undefined for what is no such line. This file is this program's own: shapes are not checked deeper. */
export function readLine(text: string): ReplayLine | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && typeof value[0] === 'string'
      ? (value as unknown as ReplayLine)
      : undefined;
  } catch {
    return undefined;
  }
}
