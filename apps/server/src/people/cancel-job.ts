import { isDeepStrictEqual } from 'node:util';
import type { CancelJob, Envelope } from '@writ/contract';
import type { By, JobRecord } from '@writ/store';
import { envelopeDigest, judgeWithdrawal, TrustError } from '@writ/trust';
import { ServerError } from '../server-error.ts';
import type { PeopleParts } from './people-parts.ts';

export type CancelParts = Pick<PeopleParts, 'store' | 'cluster' | 'cancel' | 'withdraw'>;

/** Waiting tasks end at once; agents that hold others are told. A withdrawal reaches every agent, also those that come later. */
export async function cancelJob(
  parts: CancelParts,
  job: JobRecord,
  { indexes, how, withdrawal }: CancelJob,
  by: By,
): Promise<void> {
  const { store } = parts;
  // It is judged before anything is cancelled; agents keep it, so that a cancelled order does not start later.
  if (withdrawal) {
    judge(parts, job, indexes, withdrawal);
    const digest = envelopeDigest(withdrawal);
    const kept = { digest, order: job.digest, until: job.notAfter, envelope: withdrawal };
    await store.jobs.addWithdrawal(kept, by);
  }
  const cancelled = await store.leases.cancel({ job: job.id, indexes, how, by });
  if (cancelled) {
    const held = Map.groupBy(cancelled.toStop, (lease) => lease.identity);
    for (const [identity, tasks] of held) parts.cancel(identity, tasks, how);
  }
  if (withdrawal) parts.withdraw(withdrawal);
}

function judge(
  { cluster }: CancelParts,
  job: JobRecord,
  indexes: readonly number[] | null,
  withdrawal: Envelope,
): void {
  try {
    const said = judgeWithdrawal(withdrawal, cluster.sets(), (_order, person) => person === job.person);
    if (said.order !== job.digest)
      throw new TrustError('withdrawal.order_other', 'this withdrawal is of another order');
    // Every agent gets it and keeps it: it has no more in it than what is cancelled.
    if (!isDeepStrictEqual(said.indexes && new Set(said.indexes), indexes && new Set(indexes)))
      throw new TrustError('withdrawal.indexes_other', 'this withdrawal is of other tasks');
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    throw new ServerError(
      'request.malformed',
      `The withdrawal does not count: ${error.message}.`,
      [{ pointer: '/withdrawal', detail: error.code }],
      { cause: error },
    );
  }
}
