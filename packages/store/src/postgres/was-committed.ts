import { type Kysely, sql, type Transaction } from 'kysely';
import type { Tables } from '../tables.ts';

/**
 * Leaves a mark in the transaction itself. Numbers that PostgreSQL gives to transactions would not do: after a crash one
 * that was never written down is given again.
 *
 * @returns by what {@link wasCommitted} knows it.
 */
export async function markTransaction(transaction: Transaction<Tables>): Promise<string> {
  const marked = await sql<{ value: number }>`
    insert into counter (name, value) values ('commit', floor(random() * 9007199254740991)::bigint)
    on conflict (name) do update set value = excluded.value returning value`.execute(transaction);
  return String(marked.rows[0]?.value ?? 0);
}

/**
 * Asked by whoever wrote it, before writing anything else: the writing connection holds a lock, so when there is a new one
 * the old session has ended, and nobody else has written since.
 */
export async function wasCommitted(db: Kysely<Tables>, mark: string): Promise<boolean> {
  const found = await sql<{ value: number }>`select value from counter where name = 'commit'`.execute(db);
  return String(found.rows[0]?.value ?? '') === mark;
}
