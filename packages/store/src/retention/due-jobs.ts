import { type Kysely, sql } from 'kysely';
import type { DueAsked } from './retention.ts';
import type { Tables } from '../tables.ts';

/** For each queue that has jobs which ended: what ended before then is due. */
export async function dueByQueue(
  db: Kysely<Tables>,
  { now, keepSeconds, olderThanSeconds }: DueAsked,
): Promise<readonly { readonly queue: string; readonly before: number }[]> {
  const set = await db.selectFrom('queue').select(['name', 'keep_seconds']).execute();
  const kept = new Map(set.map((row) => [row.name, row.keep_seconds]));
  const due: { queue: string; before: number }[] = [];
  let queue = '';
  for (;;) {
    // One step in the index for each queue, however many jobs it has.
    const found = await sql<{
      queue: string | null;
    }>`select min(queue) as queue from job where queue > ${queue} and ended is not null`.execute(db);
    const next = found.rows[0]?.queue ?? null;
    if (next === null) return due;
    queue = next;
    const seconds = olderThanSeconds ?? kept.get(queue) ?? keepSeconds;
    due.push({ queue, before: now - seconds * 1000 });
  }
}
