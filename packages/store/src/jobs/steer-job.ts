import { hasEnded } from '@writ/contract';
import { sql } from 'kysely';
import type { By } from '../by.ts';
import type { Steered } from './jobs.ts';
import type { JobTable } from '../tables.ts';
import type { Write } from '../write.ts';
import { JobChanges } from './change-jobs.ts';

/** Nothing of a job that is held is leased; what has been goes on. */
export async function holdJob(write: Write, id: string, isHeld: boolean, by: By): Promise<Steered> {
  return await steer(write, id, by, async (job) => {
    if ((job.is_held === 1) === isHeld) return null;
    job.is_held = isHeld ? 1 : 0;
    const isDue = job.not_before === null || job.not_before <= by.now;
    job.is_ready = !isHeld && isDue ? 1 : 0;
    await sql`update job set is_held = ${job.is_held}, is_ready = ${job.is_ready} where seq = ${job.seq}`.execute(
      write.db,
    );
    return { action: isHeld ? 'job.held' : 'job.released', detail: '' };
  });
}

export async function setPriority(write: Write, id: string, priority: number, by: By): Promise<Steered> {
  return await steer(write, id, by, async (job) => {
    if (job.priority === priority) return null;
    const detail = `${job.priority} → ${priority}`;
    job.priority = priority;
    await sql`update job set priority = ${priority} where seq = ${job.seq}`.execute(write.db);
    return { action: 'job.priority', detail };
  });
}

async function steer(
  write: Write,
  id: string,
  by: By,
  change: (job: JobTable) => Promise<{ readonly action: string; readonly detail: string } | null>,
): Promise<Steered> {
  const changes = new JobChanges(write, by);
  const job = (await changes.loadJobsById([id])).get(id);
  if (!job) return 'unknown';
  if (hasEnded(job.state)) return 'ended';
  const changed = await change(job);
  if (!changed) return 'same';
  changes.touch(job);
  await changes.save();
  write.audit.add(by, changed.action, id, changed.detail);
  return 'done';
}
