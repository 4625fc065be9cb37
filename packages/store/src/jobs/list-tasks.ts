import { type Kysely, sql } from 'kysely';
import type { TaskState } from '@writ/contract';
import { boundedLimit, readCursor, writeCursor } from '../cursors.ts';
import type { Page, PageAsked } from '../page.ts';
import type { TaskRecord } from './jobs.ts';
import type { JobTable, Tables, TaskTable } from '../tables.ts';
import { restRecord, taskRecord } from './job-record.ts';

/** A filter may match nothing for long: one call looks at so many tasks at most, and says where to go on. */
const WINDOW = 20_000;

export async function listTasks(
  db: Kysely<Tables>,
  id: string,
  asked: PageAsked & { readonly states?: readonly TaskState[] },
): Promise<Page<TaskRecord>> {
  const job = (await sql<JobTable>`select * from job where id = ${id}`.execute(db)).rows[0];
  if (!job) return { items: [], next: null };
  const limit = boundedLimit(asked.limit);
  const end = job.first_index + job.size;
  const from =
    asked.after === null
      ? job.first_index
      : Math.max(job.first_index, readCursor(asked.after, 'number')[0] + 1);
  const upTo = Math.min(end, from + (asked.states ? WINDOW : limit));
  const isWanted = (state: TaskState) => asked.states?.includes(state) ?? true;

  const items: TaskRecord[] = [];
  let index = from;
  if (asked.states && (job.holes === 0 || upTo <= job.next_index)) {
    // Every task below the cursor has its row: there the database picks, and no more than are asked for.
    const known = { from, upTo: Math.min(upTo, Math.max(from, job.next_index)) };
    const picked = await pickRows(db, job, { ...known, states: asked.states, limit });
    items.push(...picked.map((row) => taskRecord(id, row)));
    const last = picked.at(-1);
    index = last && items.length === limit ? last.idx + 1 : known.upTo;
  }
  const rows = items.length === limit ? new Map<number, TaskTable>() : await loadRows(db, job, index, upTo);
  for (; index < upTo && items.length < limit; index += 1) {
    const row = rows.get(index);
    // Below the cursor every task has its row.
    if (!row && index < job.next_index) continue;
    const task = row ? taskRecord(id, row) : restRecord(job, index);
    if (isWanted(task.state)) items.push(task);
    else if (!row && job.holes === 0) return { items, next: null };
  }
  return { items, next: index < end ? writeCursor([index - 1]) : null };
}

async function pickRows(
  db: Kysely<Tables>,
  job: JobTable,
  asked: { from: number; upTo: number; states: readonly TaskState[]; limit: number },
): Promise<TaskTable[]> {
  const { from, upTo, states, limit } = asked;
  if (states.length === 0) return [];
  const found = await sql<TaskTable>`
    select * from task where job = ${job.seq} and idx >= ${from} and idx < ${upTo} and state in (${sql.join(states)})
    order by idx limit ${limit}`.execute(db);
  return found.rows;
}

async function loadRows(
  db: Kysely<Tables>,
  job: JobTable,
  from: number,
  upTo: number,
): Promise<Map<number, TaskTable>> {
  if (from >= job.next_index && job.holes === 0) return new Map();
  const found =
    await sql<TaskTable>`select * from task where job = ${job.seq} and idx >= ${from} and idx < ${upTo}`.execute(
      db,
    );
  return new Map(found.rows.map((row) => [row.idx, row]));
}
