import type { Failure } from '../sql-words.ts';
import { StoreError } from '../store-error.ts';

/** Of two transactions that cannot both stand, this one was taken back: serialization, deadlock. */
const LOST_AGAINST_ANOTHER = new Set(['40001', '40P01']);
/** The server ends or starts, takes no more connections, is a copy by now, or has ended this connection. */
const ENDS = new Set(['57P01', '57P02', '57P03', '57P05', '25P03', '53300', '25006']);
const CONNECTION = /^(08|E(CONN|PIPE|TIMEDOUT|HOST|NET|AI_AGAIN|NOTFOUND)|ENOENT$)/;
/** What `pg` says without a code. */
const ENDED =
  /^(Connection terminated|timeout exceeded when trying|Query read timeout|Client has encountered a connection error|Postgres connection has been discarded)/;

export function failureOf(cause: unknown): Failure {
  if (cause instanceof StoreError) return FAILURES[cause.code] ?? 'refused';
  const code = codeOf(cause);
  if (LOST_AGAINST_ANOTHER.has(code)) return 'again';
  const words = cause instanceof Error ? cause.message : '';
  return ENDS.has(code) || CONNECTION.test(code) || ENDED.test(words) ? 'cut' : 'refused';
}

const FAILURES: Partial<Record<StoreError['code'], Failure>> = {
  'store.cut_off': 'cut',
  'store.unavailable': 'gone',
  'store.in_use': 'gone',
};

/** A host with several addresses fails with an error for each. */
function codeOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return codeOf(cause.errors[0]);
  return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
}
