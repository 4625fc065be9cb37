import type { CancelJob, JobView } from '@writ/contract';
import { type HeldSets, makeWithdrawal, type OpenedOrder, type Signer } from '@writ/trust';
import type { Client } from './connect.ts';

/** What is cancelled, and by whom. */
export interface Cancelling {
  /** The verified order of the job. */
  readonly order: OpenedOrder;
  /** The pins. */
  readonly sets: HeldSets;
  /** Null: all tasks. */
  readonly indexes: number[] | null;
  /** `terminate` leaves the time that the order grants, `kill` none. */
  readonly how: CancelJob['how'];
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Signs a withdrawal, which agents keep: without it a cancelled order could be started later by a server that lies. */
  readonly by: { readonly person: string; readonly signer: Signer } | undefined;
}

/** Asks the server to end a job, and leaves the submitter's signed word that it may not start any more. */
export async function cancelJob(
  client: Client,
  { order, sets, indexes, how, now, by }: Cancelling,
): Promise<JobView> {
  const withdrawal =
    by &&
    makeWithdrawal({ cluster: sets.cluster, order: order.digest, indexes, person: by.person, now }, by.signer)
      .envelope;
  return await client.cancelJob(order.order.job, { indexes, how, withdrawal: withdrawal ?? null });
}
