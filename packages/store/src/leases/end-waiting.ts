import { sql } from 'kysely';
import type { RefusalCode, TaskState } from '@writ/contract';
import { JobChanges } from '../jobs/change-jobs.ts';
import { restSize } from '../jobs/job-record.ts';
import type { By } from '../by.ts';
import type { CancelHow } from '../jobs/jobs.ts';
import type { OpenLease } from './leases.ts';
import type { JobTable, TaskTable } from '../tables.ts';
import type { Write } from '../write.ts';
import { byIndex, openLease } from './open-leases.ts';

const MAX_JOBS = 500;
const MAX_TASKS = 2000;

/** Waiting tasks end at once. Those that an agent holds are marked: they end with its word, or with the lease. */
export async function cancelTasks(
  write: Write,
  asked: {
    readonly job: string;
    readonly indexes: readonly number[] | null;
    readonly how: CancelHow;
    readonly by: By;
  },
): Promise<{ readonly ended: number; readonly toStop: readonly OpenLease[] } | null> {
  const changes = new JobChanges(write, asked.by);
  const job = (await changes.loadJobsById([asked.job])).get(asked.job);
  if (!job) return null;
  const rows = asked.indexes
    ? await pickTasks(changes, job, asked.indexes)
    : await loadAlive(write, changes, job);
  let ended = asked.indexes || job.rest !== 'waiting' ? 0 : changes.moveRest(job, 'cancelled', 'cancelled');
  const toStop: OpenLease[] = [];
  for (const task of rows) {
    if (task.state === 'waiting') {
      changes.move(task, 'cancelled', 'cancelled');
      ended += 1;
    } else if (task.state === 'leased' || task.state === 'running') {
      if (task.cancel_how === null)
        write.audit.addTasks(asked.by, 'task.cancel_asked', job.id, asked.how, task.idx);
      task.cancel_how = asked.how;
      changes.touch(task);
      toStop.push(openLease(job.id, task));
    }
  }
  await changes.save();
  return { ended, toStop };
}

async function pickTasks(
  changes: JobChanges,
  job: JobTable,
  indexes: readonly number[],
): Promise<TaskTable[]> {
  const wanted = [...new Set(indexes)]
    .filter((index) => index >= job.first_index && index < job.first_index + job.size)
    .sort((a, b) => a - b);
  await changes.loadTasks(wanted.map((idx) => ({ job: job.seq, idx })));
  return wanted.flatMap((idx) => {
    const task = changes.task(job.seq, idx);
    if (task) return [task];
    if (job.rest !== 'waiting') return [];
    const taken = changes.takeFromRest(job, idx);
    job.holes += 1;
    return [taken];
  });
}

async function loadAlive(write: Write, changes: JobChanges, job: JobTable): Promise<TaskTable[]> {
  const waiting = await loadWaiting(write, changes, [job], Number.MAX_SAFE_INTEGER);
  const open = await sql<TaskTable>`
    select * from task ${write.words.indexed('task_lease')}
    where lease_until is not null and job = ${job.seq} ${write.words.lockRows}`.execute(write.db);
  return [...waiting, ...open.rows.sort(byIndex).map((row) => changes.hold(row))];
}

async function loadWaiting(
  write: Write,
  changes: JobChanges,
  jobs: readonly JobTable[],
  limit: number,
): Promise<TaskTable[]> {
  const having = jobs.filter((job) => job.n_waiting > (job.rest === 'waiting' ? restSize(job) : 0));
  if (having.length === 0) return [];
  const batch = write.words.batch(
    { job: 'integer' },
    having.map((job) => [job.seq]),
  );
  const rows = await sql<TaskTable>`
    select task.* from ${batch} cross join task ${write.words.indexed('task_came_back')}
    where task.job = batch.job and task.state = 'waiting' limit ${limit} ${write.words.lockRows}`.execute(
    write.db,
  );
  return rows.rows.sort(byIndex).map((row) => changes.hold(row));
}

/** Orders that may not be started any more. */
export async function expireTasks(
  write: Write,
  by: By,
): Promise<{ readonly jobs: readonly string[]; readonly isMore: boolean }> {
  const found = await sql<JobTable>`
    select * from job where n_waiting > 0 and not_after <= ${by.now}
    order by not_after limit ${MAX_JOBS} ${write.words.lockRows}`.execute(write.db);
  const { isMore } = await endWaiting(write, found.rows, { state: 'expired', because: 'order.expired' }, by);
  return { jobs: found.rows.map((job) => job.id), isMore: isMore || found.rows.length === MAX_JOBS };
}

/** Nobody can start these any more. */
export async function refuseWaiting(
  write: Write,
  job: string,
  because: RefusalCode,
  by: By,
): Promise<number> {
  const found =
    await sql<JobTable>`select * from job where id = ${job} and n_waiting > 0 ${write.words.lockRows}`.execute(
      write.db,
    );
  return (await endWaiting(write, found.rows, { state: 'refused', because }, by, Number.MAX_SAFE_INTEGER))
    .ended;
}

async function endWaiting(
  write: Write,
  jobs: readonly JobTable[],
  as: { readonly state: TaskState; readonly because: RefusalCode },
  by: By,
  limit = MAX_TASKS,
): Promise<{ ended: number; isMore: boolean }> {
  const changes = new JobChanges(write, by);
  // Another of this transaction may have changed them already: its rows are the ones that are saved.
  const held = jobs.map((job) => changes.holdJob(job));
  const waiting = await loadWaiting(write, changes, held, limit);
  let ended = waiting.length;
  for (const job of held) if (job.rest === 'waiting') ended += changes.moveRest(job, as.state, as.because);
  for (const task of waiting) changes.move(task, as.state, as.because);
  await changes.save();
  return { ended, isMore: waiting.length === limit };
}
