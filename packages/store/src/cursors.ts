import { StoreError } from './store-error.ts';

/** Opaque to callers: the key of the last row of the page before. */
export function writeCursor(key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** @throws StoreError `store.bad_cursor` */
export function readCursor<K extends readonly ('string' | 'number')[]>(
  text: string,
  ...kinds: K
): { [I in keyof K]: K[I] extends 'string' ? string : number } {
  let key: unknown;
  try {
    key = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch (cause) {
    throw badCursor(cause);
  }
  if (!Array.isArray(key) || key.length !== kinds.length || key.some((part, at) => typeof part !== kinds[at]))
    throw badCursor();
  return key as never;
}

const badCursor = (cause?: unknown) =>
  new StoreError('store.bad_cursor', 'This cursor was not made here. Start again from the first page.', {
    cause,
  });

const MAX_LIMIT = 1000;
export const boundedLimit = (limit: number): number => Math.min(Math.max(1, Math.trunc(limit)), MAX_LIMIT);

/** Rows were asked for one beyond the limit: that one only says that there are more. */
export function pageOf<R, T>(
  rows: readonly R[],
  limit: number,
  item: (row: R) => T,
  key: (row: R) => readonly (string | number)[],
) {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(item),
    next: rows.length > limit && last !== undefined ? writeCursor(key(last)) : null,
  };
}
