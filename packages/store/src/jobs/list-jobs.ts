import { type Kysely, sql, type RawBuilder } from 'kysely';
import { boundedLimit, pageOf, readCursor } from '../cursors.ts';
import type { SqlWords } from '../sql-words.ts';
import type { Page } from '../page.ts';
import type { JobRecord, JobsAsked } from './jobs.ts';
import type { JobTable, Tables } from '../tables.ts';
import { jobRecord } from './job-record.ts';

type Row = JobTable & { command: string };

/**
 * Newest first. Each state is a walk along its own index; their heads are merged. Only success is so usual that a queue,
 * a person or a project may be the shorter walk.
 */
export async function listJobs(
  db: Kysely<Tables>,
  words: SqlWords,
  asked: JobsAsked,
): Promise<Page<JobRecord>> {
  const limit = boundedLimit(asked.limit);
  const before = asked.after === null ? Number.MAX_SAFE_INTEGER : readCursor(asked.after, 'number')[0];
  const wheres: RawBuilder<unknown>[] = [sql`job.seq < ${before}`];
  if (asked.queue !== undefined) wheres.push(sql`job.queue = ${asked.queue}`);
  if (asked.person !== undefined) wheres.push(sql`job.person = ${asked.person}`);
  if (asked.project !== undefined) wheres.push(sql`job.project = ${asked.project}`);
  if (asked.idPrefix !== undefined) {
    // Letters and digits only follow a prefix; `~` comes after all of them.
    wheres.push(
      sql`job.seq in (select seq from job where id >= ${asked.idPrefix} and id < ${`${asked.idPrefix}~`})`,
    );
  }
  const states = asked.states === undefined ? [undefined] : [...new Set(asked.states)];
  const rows: Row[] = [];
  for (const state of states) {
    const all = state === undefined ? wheres : [...wheres, sql`job.state = ${state}`];
    const along = state === undefined || state === 'succeeded' ? sql`` : words.indexed('job_by_state');
    const found = await sql<Row>`
      select job.*, job_order.command from job ${along} join job_order on job_order.job = job.seq
      where ${sql.join(all, sql` and `)} order by job.seq desc limit ${limit + 1}`.execute(db);
    rows.push(...found.rows);
  }
  rows.sort((a, b) => b.seq - a.seq);
  return pageOf(rows, limit, jobRecord, (row) => [row.seq]);
}
