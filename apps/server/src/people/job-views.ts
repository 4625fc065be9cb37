import { hasEnded, type JobView, type Order, type ReceiptView, type TaskView } from '@writ/contract';
import type { JobRecord, ReceiptRecord, TaskRecord } from '@writ/store';
import { when, whenOrNull } from './paging.ts';
import type { PeopleParts } from './people-parts.ts';

export function jobView({ dispatch }: PeopleParts, job: JobRecord, because: string | null = null): JobView {
  const { id, digest, state, submittedBy, person, queue, project, firstIndex, counts } = job;
  return {
    id,
    digest,
    state,
    because,
    waitsFor: state === 'waiting' ? dispatch.whyWaiting(job) : null,
    submittedBy,
    person,
    queue,
    project,
    command: [...job.command],
    priority: job.priority,
    isHeld: job.isHeld,
    tasks: job.size,
    firstIndex,
    counts: { ...counts },
    submitted: when(job.submitted),
    started: whenOrNull(job.started),
    ended: whenOrNull(job.ended),
    notAfter: when(job.notAfter),
  };
}

/** For one job: why it is not a success, as its first such task says. */
export async function wholeJobView(parts: PeopleParts, job: JobRecord): Promise<JobView> {
  if (!hasEnded(job.state) || job.state === 'succeeded') return jobView(parts, job);
  const { items } = await parts.store.jobs.listTasks(job.id, { after: null, limit: 1, states: [job.state] });
  return jobView(parts, job, items[0]?.because ?? null);
}

/** Names of agents by their identities, for as long as one answer is made. */
export function nameAgentsWith({ store }: PeopleParts) {
  const names = new Map<string, string | null>();
  return async (identity: string | null): Promise<string | null> => {
    if (identity === null) return null;
    const known = names.get(identity);
    if (known !== undefined) return known;
    const name = (await store.trust.readAgent(identity))?.name ?? null;
    names.set(identity, name);
    return name;
  };
}

export async function taskView(
  parts: PeopleParts,
  order: Order | null,
  task: TaskRecord,
  nameOf: (identity: string | null) => Promise<string | null>,
): Promise<TaskView> {
  const { job, index, state, because, attempt, identity, exit, started, ended, receipt } = task;
  return {
    job,
    index,
    value: order?.array.is === 'values' ? (order.array.values[index] ?? null) : null,
    state,
    because,
    attempt,
    agent: await nameOf(identity),
    identity,
    exit,
    progress: parts.progress.of(job, index, attempt),
    started: whenOrNull(started),
    ended: whenOrNull(ended),
    receipt,
  };
}

export const receiptView = ({
  index,
  attempt,
  isAccepted,
  envelope,
  admission,
}: ReceiptRecord): ReceiptView => ({ index, attempt, isAccepted, envelope, admission });
