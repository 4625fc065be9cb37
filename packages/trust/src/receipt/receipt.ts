import {
  BOUNDS,
  END_REASONS,
  isIndexOf,
  PAYLOAD_TYPES,
  RECEIPT_PREDICATE_TYPE,
  RECEIPT_STATEMENT_TYPE,
  receiptCheck,
  receivedCheck,
  subjectsOf,
} from '@writ/contract';
import type { Envelope, Order, Received, Receipt, ReceiptPredicate, SetRef } from '@writ/contract';
import type { Admitted } from '../admission/admission.ts';
import { hasLabel, isAtLeast } from '../order/check-order.ts';
import { openEnvelope } from '../envelope/open.ts';
import { seal } from '../envelope/seal.ts';
import type { Sealed } from '../envelope/seal.ts';
import type { Signer } from '../keys.ts';
import { TrustError } from '../trust-error.ts';

export function makeReceipt(predicate: ReceiptPredicate, identity: Signer): Sealed {
  const statement: Receipt = {
    _type: RECEIPT_STATEMENT_TYPE,
    subject: subjectsOf(predicate),
    predicateType: RECEIPT_PREDICATE_TYPE,
    predicate,
  };
  return seal(PAYLOAD_TYPES.receipt, statement, [identity]);
}

export interface JudgedReceipt {
  readonly predicate: ReceiptPredicate;
  readonly digest: string;
  readonly admitted: Admitted;
}

/** A receipt by this admitted agent, whatever it is about. Codes: those of openEnvelope, `receipt.*`. */
export function openReceipt(envelope: Envelope, cluster: string, admitted: Admitted): JudgedReceipt {
  const { value, digest, signedBy } = openEnvelope(envelope, {
    type: PAYLOAD_TYPES.receipt,
    check: receiptCheck,
    candidates: [admitted.identity],
    maxBytes: BOUNDS.receiptBytes,
  });
  const { predicate } = value;
  if (predicate.cluster !== cluster)
    throw new TrustError('receipt.cluster_other', 'this receipt is of another cluster');
  if (predicate.identity !== admitted.identity || signedBy.length !== 1)
    throw new TrustError('receipt.signer_wrong', 'this receipt is not signed by the agent that it names');
  if (predicate.admission !== admitted.digest)
    throw new TrustError('receipt.admission_other', 'this receipt rests on another admission of that agent');
  if (!isSameSubject(value.subject, subjectsOf(predicate)))
    throw new TrustError(
      'receipt.subject_wrong',
      'the subjects of this receipt are not its logs and outputs',
    );
  return { predicate, digest, admitted };
}

function isSameSubject(given: Receipt['subject'], wanted: Receipt['subject']): boolean {
  return (
    given.length === wanted.length &&
    given.every(
      (subject, at) =>
        subject.name === wanted[at]!.name && subject.digest.sha256 === wanted[at]!.digest.sha256,
    )
  );
}

export interface AboutOrder {
  readonly order: Order;
  readonly digest: string;
}

/** Does what the receipt says fit the order it says it about? Codes: `receipt.inconsistent`, `receipt.order_mismatch`. */
export function checkReceiptFits(
  { predicate, admitted }: JudgedReceipt,
  { order, digest }: AboutOrder,
): void {
  checkConsistent(predicate);
  const fault =
    (predicate.order !== digest && 'it is about another order') ||
    (predicate.job !== order.job && 'it is about another job') ||
    (predicate.person !== null && predicate.person !== order.person && 'it names another submitter') ||
    (!isIndexOf(order.array, predicate.index) && `the order has no task ${predicate.index}`) ||
    (predicate.attempt > order.maxAttempts && `the order allows ${order.maxAttempts} attempts`) ||
    (predicate.kind !== 'refused' && checkRun(predicate, order, admitted));
  if (fault) throw new TrustError('receipt.order_mismatch', `this receipt does not fit the order: ${fault}`);
}

const isEnd = (because: string): boolean => (END_REASONS as readonly string[]).includes(because);

/** Each kind says certain things and no others: a refusal with an exit code would be read as two things. */
function checkConsistent(predicate: ReceiptPredicate): void {
  const { kind, because, exit, started, variant, profile, adopts, outputs } = predicate;
  const hasRun = started !== null && variant !== null && profile !== null;
  const isExit = because !== 'exit' || (hasRun && exit !== null && 'code' in exit);
  const isOne = {
    ended: isEnd(because) && isExit && variant !== null && profile !== null && adopts === null,
    refused:
      !isEnd(because) &&
      exit === null &&
      started === null &&
      variant === null &&
      profile === null &&
      adopts === null &&
      outputs.length === 0,
    adopted: hasSucceeded(predicate) && hasRun && adopts !== null,
  }[kind];
  if (!isOne)
    throw new TrustError('receipt.inconsistent', `this receipt calls itself ${kind} and says something else`);
}

/** What the order asks of the machine, as far as admission and receipt tell. */
function checkRun(predicate: ReceiptPredicate, order: Order, admitted: Admitted): string | false {
  const { agents, excluded, labels, notAdmitted } = order.machine;
  const { queues } = admitted;
  const lacking = labels.find((wanted) => !hasLabel(admitted, wanted));
  const variants = order.runs.is === 'command' ? order.runs.variants.length : 1;
  return (
    (!queues.includes('*') && !queues.includes(order.queue) && 'its agent was admitted for other queues') ||
    (notAdmitted.includes(admitted.how) && 'the order excludes agents admitted in that way') ||
    (lacking !== undefined && `its agent was not admitted with the label ${lacking.name}`) ||
    (predicate.variant !== null &&
      predicate.variant >= variants &&
      `the order has no variant ${predicate.variant}`) ||
    (agents.length > 0 && !agents.includes(predicate.identity) && 'the order names other agents') ||
    (excluded.includes(predicate.identity) && 'the order excludes this agent') ||
    (predicate.profile !== null &&
      !isAtLeast(predicate.profile, order.profile) &&
      `it ran with less isolation (${predicate.profile}) than ordered (${order.profile})`) ||
    (predicate.started !== null &&
      predicate.started > order.notAfter + BOUNDS.clockToleranceSeconds * 1000 &&
      'it started after the order had expired')
  );
}

/** The submitter's program countersigns what reached it. */
export function makeReceived(
  wish: { cluster: string; receipt: string; set: SetRef; person: string; now: number },
  signer: Signer,
): Sealed {
  const received: Received = {
    format: 1,
    cluster: wish.cluster,
    receipt: wish.receipt,
    by: { person: wish.person, key: signer.key },
    set: wish.set,
    time: wish.now,
  };
  return seal(PAYLOAD_TYPES.received, received, [signer]);
}

export function judgeReceived(envelope: Envelope, cluster: string, candidates: Iterable<string>): Received {
  const { value, signedBy } = openEnvelope(envelope, {
    type: PAYLOAD_TYPES.received,
    check: receivedCheck,
    candidates,
  });
  if (value.cluster !== cluster || signedBy.length !== 1 || signedBy[0] !== value.by.key)
    throw new TrustError('received.refused', 'this countersignature is not by the key that it names');
  return value;
}

/** Did the task do what it was asked to? */
export const hasSucceeded = (predicate: ReceiptPredicate): boolean =>
  predicate.kind !== 'refused' &&
  predicate.because === 'exit' &&
  predicate.exit !== null &&
  'code' in predicate.exit &&
  predicate.exit.code === 0;
