import { type Kysely, sql } from 'kysely';
import type { SqlWords } from '../sql-words.ts';
import type { Tables } from '../tables.ts';

/** How many tasks of a queue are leased. A job that has such tasks is in one of two states, and says how many. */
export async function countOpen(db: Kysely<Tables>, words: SqlWords, queue: string): Promise<number> {
  const found = await sql<{ open: number | null }>`
    select sum(n_leased + n_running) as open from job ${words.indexed('job_by_state')}
    where state in ('leased', 'running') and queue = ${queue}`.execute(db);
  return Number(found.rows[0]?.open ?? 0);
}
