import { sql } from 'kysely';
import { BOUNDS } from '@writ/contract';
import type { By } from '../by.ts';
import type { DueAsked, RemovedJobs } from './retention.ts';
import type { JobTable } from '../tables.ts';
import type { Write } from '../write.ts';
import { dueByQueue } from './due-jobs.ts';

/** So long after its end an order may still be remembered by agents; a server forgets none of them earlier. */
const MARK_MS = BOUNDS.orderSeconds * 1000;

/**
 * Takes jobs that are due out of every list, and leaves a mark of each, so that its id is not free for another order
 * while an agent could start it. Their rows in other tables may be millions: they go afterwards, in bounded steps.
 */
export async function removeJobs(
  write: Write,
  asked: DueAsked & { readonly limit: number },
  by: By,
): Promise<RemovedJobs> {
  const jobs: JobTable[] = [];
  for (const { queue, before } of await dueByQueue(write.db, asked)) {
    const left = asked.limit - jobs.length;
    if (left === 0) break;
    const found = await sql<JobTable>`
      select * from job where queue = ${queue} and ended <= ${before}
      order by ended limit ${left} ${write.words.lockRows}`.execute(write.db);
    jobs.push(...found.rows);
  }
  if (jobs.length === 0) return { jobs: [], isMore: false };
  await write.words.insertRows(
    write.db,
    {
      table: 'removed_job',
      columns: { id: 'text', digest: 'text', seq: 'integer', until: 'integer', removed: 'integer' },
      key: ['id'],
    },
    jobs.map((job) => [job.id, job.digest, job.seq, job.not_after + MARK_MS, by.now]),
  );
  const batch = write.words.batch(
    { seq: 'integer' },
    jobs.map((job) => [job.seq]),
  );
  await sql`delete from job_order where job in (select batch.seq from ${batch})`.execute(write.db);
  await sql`delete from job where seq in (select batch.seq from ${batch})`.execute(write.db);
  for (const job of jobs) {
    write.jobs.delete(job.seq);
    const ended = new Date(job.ended ?? by.now).toISOString();
    write.audit.add(by, 'job.removed', job.id, `${job.size} tasks, order ${job.digest}, ended ${ended}`);
  }
  return {
    jobs: jobs.map(({ id, size }) => ({ id, tasks: size })),
    isMore: jobs.length === asked.limit,
  };
}
