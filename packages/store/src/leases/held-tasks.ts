import type { JobChanges } from '../jobs/change-jobs.ts';
import type { LeaseRef } from './leases.ts';
import type { TaskTable } from '../tables.ts';

/** The rows of those leases that are this agent's present ones: same token, same attempt, still open. */
export async function loadHeld(
  changes: JobChanges,
  leases: readonly (LeaseRef & { readonly identity: string })[],
): Promise<(TaskTable | undefined)[]> {
  if (leases.length === 0) return [];
  const jobs = await changes.loadJobsById(leases.map((lease) => lease.job));
  const keys = leases.flatMap((lease) => {
    const job = jobs.get(lease.job);
    return job ? [{ job: job.seq, idx: lease.index }] : [];
  });
  await changes.loadTasks(keys);
  return leases.map((lease) => {
    const job = jobs.get(lease.job);
    const task = job && changes.task(job.seq, lease.index);
    return task && isHeld(task, lease) ? task : undefined;
  });
}

/** Compare and set: asked again at the moment of each change, because a batch may name a task twice. */
export function isHeld(task: TaskTable, lease: LeaseRef & { readonly identity: string }): boolean {
  return (
    (task.state === 'leased' || task.state === 'running') &&
    task.token_epoch === lease.token.epoch &&
    task.token_n === lease.token.n &&
    task.attempt === lease.attempt &&
    task.identity === lease.identity
  );
}
