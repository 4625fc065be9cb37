import type { SQLInputValue, StatementSync } from 'node:sqlite';

const MARK = '/* for each row */ ';

/** Marks a statement whose parameters are rows: it runs once for each of them. */
export const forEachRow = (text: string): string => MARK + text;
export const isForEachRow = (text: string): boolean => text.startsWith(MARK);

export function runForEachRow(
  statement: StatementSync,
  rows: readonly unknown[],
): { changes: number; lastInsertRowid: number } {
  for (const row of rows) statement.run(...(row as SQLInputValue[]));
  return { changes: rows.length, lastInsertRowid: 0 };
}
