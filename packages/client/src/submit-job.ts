import type { Envelope, JobView } from '@writ/contract';
import { ClientError } from './client-error.ts';
import type { Client, Steering } from './connect.ts';
import { isPassing } from './follow-job.ts';

/** How an order is sent. */
export interface Submitting {
  /** What the server is asked besides. */
  readonly steering?: Steering | undefined;
  /** Ends it: whether the job exists is then unknown, and sending the same order again tells. */
  readonly signal: AbortSignal;
  /** Waits that many milliseconds, or until the signal. */
  readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** Twelve seconds in all: a server that was killed is back in one. One whose database is away waits by itself before it answers. */
const mostFailures = 6;

/**
 * Sends a signed order. A lost answer is asked for again with the same bytes: the job id is the idempotency key, so it is
 * one job however often it is sent.
 *
 * @param digest of the order: the answer must be about these bytes.
 */
export async function submitJob(
  client: Client,
  order: { readonly envelope: Envelope; readonly digest: string; readonly job: string },
  { signal, wait, steering }: Submitting,
): Promise<JobView> {
  for (let failures = 0; ;) {
    try {
      const view = await client.submitJob(order.envelope, order.job, steering);
      if (view.id !== order.job || view.digest !== order.digest) {
        throw new ClientError(
          'answer.other_job',
          `Submitted job ${order.job}, the server answers for ${view.id}, ${view.digest}.`,
        );
      }
      return view;
    } catch (error) {
      failures += 1;
      if (signal.aborted || !isPassing(error) || failures > mostFailures) throw error;
      await wait(100 * 2 ** failures, signal);
    }
  }
}
