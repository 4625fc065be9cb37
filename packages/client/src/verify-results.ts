import type { Envelope, ReceiptPredicate, ReceiptView, TrustView } from '@writ/contract';
import {
  type Admitted,
  checkGrants,
  checkReceiptFits,
  checkSound,
  type HeldSets,
  anySetAt,
  heldSetAt,
  findRemoval,
  type OpenedOrder,
  openOrder,
  openReceipt,
  TrustError,
} from '@writ/trust';
import { type VerifiedAdmission, verifyAdmissions } from './advance-sets.ts';
import { ClientError } from './client-error.ts';

/** A result that this program has verified itself. Nothing in it is the server's word. */
export interface VerifiedResult {
  /** Of the task. */
  readonly index: number;
  /** What the agent signed: how it ended, exit code, outputs and logs by digest. */
  readonly predicate: ReceiptPredicate;
  /** Of the receipt. */
  readonly digest: string;
  /** Who signed it. */
  readonly agent: Admitted;
  /** The signed bytes. */
  readonly envelope: Envelope;
  /** On what the agent's word rests. */
  readonly admission: VerifiedAdmission;
}

/**
 * The order behind a job id, judged under the pinned sets: signed by somebody in them, who may order such a thing.
 *
 * @param kept the bytes that were signed here, when they were: then nothing that the server shows is looked at.
 * @throws ClientError `order.unverified`, `answer.other_job`
 */
export function verifyOrder(envelope: Envelope, job: string, sets: HeldSets): OpenedOrder {
  let opened: OpenedOrder;
  try {
    opened = openOrder(envelope, sets);
    checkSound(opened);
    heldSetAt(sets, opened.order.set);
    checkGrants(opened, sets);
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    throw new ClientError(
      'order.unverified',
      `The order of job ${job} does not verify (${error.code}): ${error.message}.`,
      { cause: error },
    );
  }
  if (opened.order.job !== job) {
    throw new ClientError(
      'answer.other_job',
      `Asked for job ${job}, the server shows the order of job ${opened.order.job}.`,
    );
  }
  return opened;
}

/** Verifies results of one order. Judged admissions are kept between calls. */
export class ResultVerifier {
  /** The order whose results are verified. */
  readonly order: OpenedOrder;
  /** By what they are judged. */
  readonly sets: HeldSets;
  readonly #admissions: Map<string, VerifiedAdmission>;

  /** @param sets already advanced to what `trust` shows ({@link advanceSets}). */
  constructor(order: OpenedOrder, sets: HeldSets, trust: TrustView) {
    this.order = order;
    this.sets = sets;
    this.#admissions = verifyAdmissions(sets, trust.admissions);
  }

  /** Whether a receipt rests on an admission or set that is not known here yet: then ask the server for its trust documents again. */
  needsNewer(view: ReceiptView): boolean {
    return !this.#admissions.has(view.admission);
  }

  /**
   * The receipt is by an agent that a signer admitted, fits the order and the task asked for.
   * @throws ClientError `receipt.unverified`
   */
  verify(view: ReceiptView, index: number): VerifiedResult {
    try {
      return this.#judge(view, index);
    } catch (error) {
      if (!(error instanceof TrustError)) throw error;
      throw new ClientError(
        'receipt.unverified',
        `The receipt of task ${this.order.order.job}.${index} does not verify (${error.code}): ${error.message}.`,
        { cause: error },
      );
    }
  }

  #judge(view: ReceiptView, index: number): VerifiedResult {
    const admission = this.#admissions.get(view.admission);
    if (!admission) {
      throw new TrustError(
        'receipt.admission_unknown',
        'no signer of the pinned set admitted the agent that it names',
      );
    }
    const { admitted } = admission;
    const receipt = openReceipt(view.envelope, this.sets.cluster, admitted);
    const { predicate } = receipt;
    anySetAt(this.sets, predicate.set);
    checkReceiptFits(receipt, this.order);
    if (predicate.index !== index)
      throw new TrustError('receipt.order_mismatch', `it is about task ${predicate.index}`);
    const removed = findRemoval(this.sets, admitted.identity);
    if (removed && (removed.is === 'compromised' || predicate.ended > removed.since)) {
      throw new TrustError(
        'receipt.agent_removed',
        `the agent ${admitted.name} was removed from the signer set`,
      );
    }
    return { index, predicate, digest: receipt.digest, agent: admitted, envelope: view.envelope, admission };
  }
}
