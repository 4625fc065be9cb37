import { sql } from 'kysely';
import { TASK_STATES } from '@writ/contract';
import type { By } from '../by.ts';
import type { NewJob, SubmitAnswer } from './jobs.ts';
import type { ColumnKind, RowShape } from '../sql-words.ts';
import type { CountColumns, JobTable } from '../tables.ts';
import type { Write } from '../write.ts';
import { areHere, useFiles } from '../files/use-files.ts';
import { jobRecord } from './job-record.ts';
import { changeNumber, takeNumber } from './take-number.ts';

/** Same id and digest: the same answer. A job of a million tasks is one row. */
export async function submitJob(
  write: Write,
  job: NewJob,
  by: By,
  inputs: readonly string[] = [],
): Promise<SubmitAnswer> {
  const held = await sql<JobTable & { command: string; removed_digest: string | null }>`
    select job.*, job_order.command, removed_job.digest as removed_digest
    from (select 1 as one) as asked
    left join job on job.id = ${job.id}
    left join job_order on job_order.job = job.seq
    left join removed_job on removed_job.id = ${job.id}`.execute(write.db);
  const [found] = held.rows;
  if (found?.id)
    return found.digest === job.digest ? { is: 'same', job: jobRecord(found) } : { is: 'conflict' };
  const removed = found?.removed_digest ?? null;
  if (removed !== null) return { is: removed === job.digest ? 'removed' : 'conflict' };
  if (!(await areHere(write, inputs))) return { is: 'files_missing' };

  const row: JobTable = {
    seq: await takeNumber(write, 'job'),
    id: job.id,
    digest: job.digest,
    person: job.person,
    project: job.project,
    queue: job.queue,
    class: job.class,
    priority: job.priority,
    first_index: job.firstIndex,
    size: job.size,
    next_index: job.firstIndex,
    holes: 0,
    rest: 'waiting',
    rest_because: null,
    max_attempts: job.maxAttempts,
    retry_on_failure: job.retryOnFailure ? 1 : 0,
    is_once: job.isOnce ? 1 : 0,
    not_before: job.notBefore,
    not_after: job.notAfter,
    is_ready: !job.isHeld && (job.notBefore === null || job.notBefore <= by.now) ? 1 : 0,
    is_held: job.isHeld ? 1 : 0,
    submitted_by: job.submittedBy,
    submitted: by.now,
    started: null,
    ended: job.size === 0 ? by.now : null,
    state: job.size === 0 ? 'succeeded' : 'waiting',
    next_token: 1,
    change: await changeNumber(write),
    n_waiting: job.size,
    n_leased: 0,
    n_running: 0,
    n_succeeded: 0,
    n_failed: 0,
    n_cancelled: 0,
    n_expired: 0,
    n_refused: 0,
    n_unknown: 0,
  };
  const command = JSON.stringify(job.command);
  await write.words.insertRows(write.db, JOB, [JOB_COLUMNS.map((column) => row[column])]);
  await sql`insert into job_order (job, envelope, command) values (${row.seq}, ${JSON.stringify(job.envelope)}, ${command})`.execute(
    write.db,
  );
  if (inputs.length > 0) await useFiles(write, job.id, inputs, 'input', by);
  write.jobs.set(row.seq, row);
  write.audit.add(by, 'job.submitted', job.id, `${job.size} tasks, order ${job.digest}`);
  write.changedJobs.add(job.id);
  return { is: 'added', job: jobRecord({ ...row, command }) };
}

const JOB_KINDS = {
  seq: 'integer',
  id: 'text',
  digest: 'text',
  person: 'text',
  project: 'text',
  queue: 'text',
  class: 'integer',
  priority: 'integer',
  first_index: 'integer',
  size: 'integer',
  next_index: 'integer',
  holes: 'integer',
  rest: 'text',
  rest_because: 'text',
  max_attempts: 'integer',
  retry_on_failure: 'integer',
  is_once: 'integer',
  not_before: 'integer',
  not_after: 'integer',
  is_ready: 'integer',
  is_held: 'integer',
  submitted_by: 'text',
  submitted: 'integer',
  started: 'integer',
  ended: 'integer',
  state: 'text',
  next_token: 'integer',
  change: 'integer',
  ...(Object.fromEntries(TASK_STATES.map((state) => [`n_${state}`, 'integer'])) as Record<
    keyof CountColumns,
    'integer'
  >),
} satisfies Record<keyof JobTable, ColumnKind>;
const JOB_COLUMNS = Object.keys(JOB_KINDS) as (keyof JobTable)[];
const JOB: RowShape = { table: 'job', columns: JOB_KINDS, key: ['seq'] };
