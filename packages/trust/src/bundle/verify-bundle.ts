import { bundleCheck, orderCheck, PAYLOAD_TYPES } from '@writ/contract';
import type { Bundle, ReceiptPredicate, SetRef } from '@writ/contract';
import { judgeAdmission } from '../admission/admission.ts';
import type { Admitted } from '../admission/admission.ts';
import { checkGrants, checkSound } from '../order/check-order.ts';
import { openOrder } from '../order/open-order.ts';
import type { OpenedOrder } from '../order/open-order.ts';
import { checkReceiptFits, judgeReceived, openReceipt } from '../receipt/receipt.ts';
import type { JudgedReceipt } from '../receipt/receipt.ts';
import { readUnverified } from '../envelope/open.ts';
import { allKeys, findKey, heldSetAt, setRef, walkSets } from '../signer-set/held-sets.ts';
import type { HeldSets } from '../signer-set/held-sets.ts';
import { TrustError } from '../trust-error.ts';

export interface VerifiedReceipt {
  readonly predicate: ReceiptPredicate;
  readonly digest: string;
  readonly agent: Admitted;
  readonly isCountersigned: boolean;
}

export interface VerifiedBundle {
  readonly cluster: string;
  /** Whether that cluster id is one the reader knows from elsewhere. If not, this proves nothing about who made it. */
  readonly isAnchored: boolean;
  readonly order: OpenedOrder;
  readonly set: SetRef;
  readonly receipts: readonly VerifiedReceipt[];
}

/**
 * The checks of a bundle in their order; the first that fails is thrown as TrustError, `verify.*` or the code of the
 * object that failed. What the authority's certificates say is not looked at.
 */
export function verifyBundle(given: unknown, anchors: readonly string[]): VerifiedBundle {
  const bundle = readBundle(given);
  const sets = walkSets(bundle.sets, bundle.cluster);
  const agents = bundle.admissions.map(({ admission, invite }) => judgeAdmission(admission, invite, sets));
  const receipts = bundle.receipts.map((entry) => openBundledReceipt(entry, sets, agents));
  const order = judgeBundledOrder(bundle, sets, receipts);
  for (const receipt of receipts) checkReceiptFits(receipt, order);
  return {
    cluster: bundle.cluster,
    isAnchored: anchors.includes(bundle.cluster),
    order,
    set: setRef(sets.newest),
    receipts,
  };
}

function readBundle(given: unknown): Bundle {
  if (bundleCheck.is(given)) return given;
  const [fault] = bundleCheck.faults(given);
  throw new TrustError(
    'verify.malformed',
    `this is not a bundle: ${fault?.pointer || '/'} ${fault?.detail ?? ''}`,
  );
}

/** As an agent's checks 3 and 6, under each signer set that a receipt says it was decided by; and nothing may be known now against its key. */
function judgeBundledOrder(
  bundle: Bundle,
  sets: HeldSets,
  receipts: readonly VerifiedReceipt[],
): OpenedOrder {
  const named = readUnverified(bundle.order, { type: PAYLOAD_TYPES.order, check: orderCheck }).set;
  const decidedBy = receipts.map((receipt) => receipt.predicate.set);
  const judge = (ref: SetRef): OpenedOrder => {
    const order = openOrder(bundle.order, sets, heldSetAt(sets, ref).set);
    checkSound(order);
    heldSetAt(sets, order.order.set);
    checkGrants(order, sets);
    return order;
  };
  const [order = judge(named)] = [...new Map(decidedBy.map((ref) => [ref.version, ref])).values()].map(judge);
  const entry = findKey(sets.newest.set, order.order.key)?.entry;
  if (entry?.ended?.is === 'compromised' && !entry.ended.kept.includes(order.digest)) {
    throw new TrustError(
      'verify.signer_compromised',
      `the key ${entry.key} is compromised: only somebody else's word on the time could still prove this order`,
    );
  }
  return order;
}

function openBundledReceipt(
  entry: Bundle['receipts'][number],
  sets: HeldSets,
  agents: readonly Admitted[],
): VerifiedReceipt {
  const [agent, receipt] = openByAnyAgent(entry.receipt, sets, agents);
  heldSetAt(sets, receipt.predicate.set);
  const removed = sets.newest.set.agentsRemoved.find((candidate) => candidate.identity === agent.identity);
  if (removed?.is === 'compromised')
    throw new TrustError('verify.agent_compromised', `the agent ${agent.name} was removed as compromised`);
  if (removed?.is === 'retired' && receipt.predicate.ended > removed.since)
    throw new TrustError('verify.agent_retired', `the agent ${agent.name} had been removed by then`);
  if (entry.received) {
    const received = judgeReceived(entry.received, sets.cluster, allKeys(sets.newest.set));
    if (received.receipt !== receipt.digest)
      throw new TrustError('received.refused', 'the countersignature is over another receipt');
  }
  return { ...receipt, agent, isCountersigned: entry.received !== null };
}

function openByAnyAgent(
  envelope: Bundle['receipts'][number]['receipt'],
  sets: HeldSets,
  agents: readonly Admitted[],
): [Admitted, JudgedReceipt] {
  let last: unknown = new TrustError(
    'verify.admission_missing',
    'the bundle has no admission of the agent that signed this receipt',
  );
  for (const agent of agents) {
    try {
      return [agent, openReceipt(envelope, sets.cluster, agent)];
    } catch (error) {
      last = error;
    }
  }
  throw last;
}
