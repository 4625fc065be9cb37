import { type Kysely, sql } from 'kysely';
import type { PageAsked } from '../page.ts';
import type { DueAsked, DueJobs } from './retention.ts';
import type { SqlWords } from '../sql-words.ts';
import type { Tables } from '../tables.ts';
import { dueByQueue } from './due-jobs.ts';

interface Row {
  id: string;
  seq: number;
  size: number;
  ended: number;
}

/** A page of the jobs that are due, and how much hangs on them. */
export async function countDue(
  reader: Kysely<Tables>,
  words: SqlWords,
  asked: DueAsked & PageAsked,
): Promise<DueJobs> {
  const [from = '', ended = 0, seq = 0] =
    asked.after === null ? [] : (JSON.parse(asked.after) as [string, number, number]);
  const jobs: Row[] = [];
  let last = '';
  for (const { queue, before } of await dueByQueue(reader, asked)) {
    const left = asked.limit - jobs.length;
    if (left === 0) break;
    if (queue < from) continue;
    const [afterEnd, afterSeq] = queue === from ? [ended, seq] : [0, 0];
    const found = await sql<Row>`
      select id, seq, size, ended from job
      where queue = ${queue} and ended <= ${before} and (ended, seq) > (${afterEnd}, ${afterSeq})
      order by ended, seq limit ${left}`.execute(reader);
    jobs.push(...found.rows);
    if (found.rows.length > 0) last = queue;
  }
  const end = jobs.at(-1);
  if (!end) return { jobs: [], tasks: 0, receipts: 0, next: null };
  const batch = words.batch(
    { seq: 'integer' },
    jobs.map((job) => [job.seq]),
  );
  const counted = await sql<{ receipts: number }>`
    select count(*) as receipts from ${batch} cross join receipt where receipt.job = batch.seq`.execute(
    reader,
  );
  return {
    jobs: jobs.map(({ id }) => id),
    tasks: jobs.reduce((sum, job) => sum + job.size, 0),
    receipts: Number(counted.rows[0]?.receipts ?? 0),
    next: jobs.length === asked.limit ? JSON.stringify([last, end.ended, end.seq]) : null,
  };
}
