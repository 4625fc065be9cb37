import type { Envelope, ReceiptView, TrustView } from '@writ/contract';
import type { HeldSets, OpenedOrder } from '@writ/trust';
import { advanceSets } from './advance-sets.ts';
import { ClientError } from './client-error.ts';
import { allOf, type Client } from './connect.ts';
import { ResultVerifier, type VerifiedResult, verifyOrder } from './verify-results.ts';

/** Which job, and by what it is judged. */
export interface JobToVerify {
  /** Its id. */
  readonly job: string;
  /** The pinned chain. */
  readonly sets: HeldSets;
  /** The signed bytes, when they were made here. */
  readonly kept?: Envelope | undefined;
}

/** A job whose order verifies. */
export interface VerifiedJob {
  /** What was ordered, and by whom. */
  readonly order: OpenedOrder;
  /** The signed bytes. */
  readonly envelope: Envelope;
  /** Advanced as far as the server showed: keep it as the new pin. */
  readonly sets: HeldSets;
  /** What the server showed: judged already. */
  readonly trust: TrustView;
  /** Verifies results of this job. */
  readonly verifier: ResultVerifier;
}

/** Asks for the order (unless it was signed here) and the trust documents, and judges them. */
export async function readVerifiedJob(
  client: Client,
  { job, sets, kept }: JobToVerify,
): Promise<VerifiedJob> {
  const [trust, envelope] = await Promise.all([client.readTrust(), kept ?? client.readOrder(job)]);
  const advanced = advanceSets(sets, trust.sets);
  const order = verifyOrder(envelope, job, advanced);
  return { order, envelope, sets: advanced, trust, verifier: new ResultVerifier(order, advanced, trust) };
}

/**
 * The results of a job, in order of index, each verified: exit code and outputs are what an admitted agent signed, or
 * this throws. Of a task that was tried again, the last attempt counts.
 *
 * @param only one task.
 */
export async function* readResults(
  client: Client,
  { order, verifier }: VerifiedJob,
  only?: number,
): AsyncGenerator<VerifiedResult, void, undefined> {
  let last: VerifiedResult | undefined;
  for await (const view of allOf<ReceiptView>((asked) =>
    client.listReceipts(order.order.job, { ...asked, index: only }),
  )) {
    if (!view.isAccepted) continue;
    const result = verifier.verify(view, view.index);
    if (last && !follows(result, last)) {
      throw new ClientError(
        'receipt.unverified',
        `The server shows results of task ${order.order.job}.${view.index} twice or out of order.`,
      );
    }
    if (last && last.index < result.index) yield last;
    last = result;
  }
  if (last) yield last;
}

const follows = (result: VerifiedResult, before: VerifiedResult): boolean =>
  result.index > before.index ||
  (result.index === before.index && result.predicate.attempt > before.predicate.attempt);
