import { sql } from 'kysely';
import type { AttemptEnd } from '@writ/contract';
import { JobChanges } from '../jobs/change-jobs.ts';
import type { By } from '../by.ts';
import type { LeaseRef, Released } from './leases.ts';
import type { JobTable, TaskTable } from '../tables.ts';
import type { Write } from '../write.ts';
import { isHeld, loadHeld } from './held-tasks.ts';
import { byIndex } from './open-leases.ts';

const MAX_TASKS = 2000;
const LOST: AttemptEnd = { outcome: 'lost', because: 'lost' };
const RETURNED: AttemptEnd = { outcome: 'returned', because: 'lost' };

/** Unstarted work that its agent has durably given up: no attempt is used up. */
export async function handBack(
  write: Write,
  identity: string,
  tasks: readonly LeaseRef[],
  by: By,
): Promise<Released> {
  const changes = new JobChanges(write, by);
  const leases = tasks.map((task) => ({ ...task, identity }));
  const held = await loadHeld(changes, leases);
  const given = held.filter((task, at) => {
    const lease = leases[at];
    return task !== undefined && lease !== undefined && task.state === 'leased' && isHeld(task, lease);
  });
  return end(
    changes,
    [...new Set(given)].filter((task) => task !== undefined),
    RETURNED,
    false,
  );
}

/** Ends leases that nobody renewed in time. A hand-out counts as a start: nobody knows what came of it. */
export async function lapseLeases(write: Write, by: By): Promise<Released> {
  const found = await sql<TaskTable>`
    select * from task where lease_until is not null and lease_until <= ${by.now}
    order by lease_until limit ${MAX_TASKS} ${write.words.lockRows}`.execute(write.db);
  return lose(write, found.rows.sort(byIndex), found.rows.length === MAX_TASKS, by);
}

/** Ends what an agent does not hold any more: it started anew, or may not act. */
export async function loseAgent(
  write: Write,
  identity: string,
  except: readonly LeaseRef[],
  by: By,
): Promise<Released> {
  const kept = new Set(except.map(({ job, index, token }) => `${job}.${index}.${token.epoch}.${token.n}`));
  const found = await sql<TaskTable & { id: string }>`
    select task.*, job.id from task join job on job.seq = task.job
    where task.lease_until is not null and task.identity = ${identity}`.execute(write.db);
  const lost = found.rows.filter(
    (row) => !kept.has(`${row.id}.${row.idx}.${row.token_epoch}.${row.token_n}`),
  );
  const rows = lost.slice(0, MAX_TASKS).map(({ id: _id, ...task }) => task);
  return lose(write, rows.sort(byIndex), lost.length > MAX_TASKS, by);
}

async function lose(write: Write, rows: readonly TaskTable[], isMore: boolean, by: By): Promise<Released> {
  const changes = new JobChanges(write, by);
  await changes.loadJobs(rows.map((row) => row.job));
  return end(
    changes,
    rows.map((row) => changes.hold(row)),
    LOST,
    isMore,
  );
}

async function end(
  changes: JobChanges,
  tasks: readonly TaskTable[],
  as: AttemptEnd,
  isMore: boolean,
): Promise<Released> {
  const released = tasks.map((task) => {
    const job: JobTable = changes.job(task.job);
    changes.noteLost(task, as);
    return {
      job: job.id,
      index: task.idx,
      identity: task.identity ?? '',
      state: changes.endAttempt(task, as),
    };
  });
  await changes.save();
  return { tasks: released, isMore };
}
