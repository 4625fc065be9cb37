import { sql } from 'kysely';
import { JobChanges } from '../jobs/change-jobs.ts';
import type { By } from '../by.ts';
import type { CancelHow } from '../jobs/jobs.ts';
import type { LeaseRef } from './leases.ts';
import type { Write } from '../write.ts';
import { isHeld, loadHeld } from './held-tasks.ts';

/** Only for tasks that run longer than a moment: a result may come without it. */
export async function markStarted(
  write: Write,
  identity: string,
  tasks: readonly LeaseRef[],
  by: By,
): Promise<{ lost: readonly LeaseRef[] }> {
  const changes = new JobChanges(write, by);
  const leases = tasks.map((task) => ({ ...task, identity }));
  const held = await loadHeld(changes, leases);
  const lost = leases.filter((lease, at) => {
    const task = held[at];
    if (!task || !isHeld(task, lease)) return true;
    if (task.state === 'leased') {
      const job = changes.job(task.job);
      task.started = by.now;
      job.started ??= by.now;
      changes.move(task, 'running', null, `on ${identity}`);
    }
    return false;
  });
  await changes.save();
  return { lost: lost.map(leaseRef) };
}

export interface Renewed {
  readonly kept: readonly LeaseRef[];
  readonly lost: readonly LeaseRef[];
  readonly cancelAsked: readonly (LeaseRef & { readonly how: CancelHow })[];
}

/** A lease whose time is over stays over, even while nobody has taken it back: its agent has stopped by then. */
export async function renewLeases(
  write: Write,
  identity: string,
  tasks: readonly LeaseRef[],
  leaseSeconds: number,
  by: By,
): Promise<Renewed> {
  const changes = new JobChanges(write, by);
  const held = await loadHeld(
    changes,
    tasks.map((task) => ({ ...task, identity })),
  );
  const kept: LeaseRef[] = [];
  const lost: LeaseRef[] = [];
  const cancelAsked: (LeaseRef & { how: CancelHow })[] = [];
  const keys: [number, number][] = [];
  const until = by.now + Math.round(leaseSeconds * 1000);
  for (const [at, ref] of tasks.entries()) {
    const task = held[at];
    if (!task || (task.lease_until ?? 0) <= by.now) {
      lost.push(leaseRef(ref));
      continue;
    }
    kept.push(leaseRef(ref));
    keys.push([task.job, task.idx]);
    task.lease_until = until;
    if (task.cancel_how !== null) cancelAsked.push({ ...leaseRef(ref), how: task.cancel_how as CancelHow });
  }
  if (keys.length > 0) {
    const batch = write.words.batch({ job: 'integer', idx: 'integer' }, keys);
    await sql`update task set lease_until = ${until} from ${batch} where task.job = batch.job and task.idx = batch.idx`.execute(
      write.db,
    );
  }
  return { kept, lost, cancelAsked };
}

/** Nobody could renew while the server was away: every open lease gets a full length. */
export async function renewAll(write: Write, leaseSeconds: number, by: By): Promise<number> {
  const until = by.now + Math.round(leaseSeconds * 1000);
  const done = await sql`update task set lease_until = ${until} where lease_until is not null`.execute(
    write.db,
  );
  return Number(done.numAffectedRows ?? 0n);
}

const leaseRef = ({ job, index, attempt, token }: LeaseRef): LeaseRef => ({ job, index, attempt, token });
