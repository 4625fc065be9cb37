import { type Kysely, type Selectable, sql } from 'kysely';
import type { SqlWords } from '../sql-words.ts';
import type { QueueRecord, QueueStore } from './queues.ts';
import type { QueueTable, Tables } from '../tables.ts';
import type { GroupWriter } from '../write-in-groups.ts';
import { countOpen } from './count-open.ts';

const MOST_COUNTED = 10_000;

export function queueStore(reader: Kysely<Tables>, { write }: GroupWriter, words: SqlWords): QueueStore {
  return {
    listQueues: async () => {
      const rows = await reader.selectFrom('queue').selectAll().orderBy('name').execute();
      return rows.map(queueRecord);
    },
    countTasks: async (name, classes) => {
      let waiting = 0;
      for (const id of classes) {
        const found = await sql<{ jobs: number }>`
          select count(*) as jobs from (
            select 1 from job where class = ${id} and n_waiting > 0 and is_ready = 1
            limit ${sql.lit(MOST_COUNTED)}) as counted`.execute(reader);
        waiting += Number(found.rows[0]?.jobs ?? 0);
        if (waiting >= MOST_COUNTED) break;
      }
      const unready = await sql<{ jobs: number }>`
        select count(*) as jobs from job ${words.indexed('job_unready')}
        where n_waiting > 0 and is_ready = 0 and queue = ${name}`.execute(reader);
      waiting += Number(unready.rows[0]?.jobs ?? 0);
      return { waiting: Math.min(waiting, MOST_COUNTED), running: await countOpen(reader, words, name) };
    },
    setQueue: (queue, by) =>
      write(async ({ db, audit }) => {
        const row = queueRow(queue);
        await db
          .insertInto('queue')
          .values(row)
          .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
          .execute();
        audit.add(by, 'queue.set', queue.name, JSON.stringify(queue));
      }),
    removeQueue: (name, by) =>
      write(async ({ db, audit }) => {
        const done = await db.deleteFrom('queue').where('name', '=', name).executeTakeFirst();
        const isDone = done.numDeletedRows === 1n;
        if (isDone) audit.add(by, 'queue.removed', name);
        return isDone;
      }),
  };
}

const queueRow = ({
  name,
  isPaused,
  maxRunning,
  priority,
  people,
  keepSeconds,
}: QueueRecord): QueueTable => ({
  name,
  is_paused: isPaused ? 1 : 0,
  max_running: maxRunning,
  priority,
  people: people === null ? null : JSON.stringify(people),
  keep_seconds: keepSeconds,
});

const queueRecord = (row: Selectable<QueueTable>): QueueRecord => ({
  name: row.name,
  isPaused: row.is_paused === 1,
  maxRunning: row.max_running,
  priority: row.priority,
  people: row.people === null ? null : (JSON.parse(row.people) as string[]),
  keepSeconds: row.keep_seconds,
});
