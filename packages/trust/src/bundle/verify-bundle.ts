import { bundleCheck, orderCheck, PAYLOAD_TYPES } from '@writ/contract';
import type { Bundle, Envelope, SetRef } from '@writ/contract';
import { judgeAdmission } from '../admission/admission.ts';
import type { Admitted } from '../admission/admission.ts';
import { checkGrants, checkSound } from '../order/check-order.ts';
import { openOrder } from '../order/open-order.ts';
import type { OpenedOrder } from '../order/open-order.ts';
import { checkReceiptFits, judgeReceived, openReceipt } from '../receipt/receipt.ts';
import type { JudgedReceipt } from '../receipt/receipt.ts';
import { readUnverified } from '../envelope/open.ts';
import { findKey } from '../signer-set/find-key.ts';
import { walkSets } from '../signer-set/follow-sets.ts';
import {
  allKeysEver,
  anySetAt,
  findKeyEver,
  findRemoval,
  heldSetAt,
  setRef,
} from '../signer-set/held-sets.ts';
import type { HeldSets } from '../signer-set/held-sets.ts';
import { keyFault } from '../signer-set/key-fault.ts';
import { TrustError } from '../trust-error.ts';

export interface VerifiedReceipt extends JudgedReceipt {
  readonly agent: Admitted;
  /** By a person's own key, of which nothing bad is known. */
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
  refuseTwins(agents, receipts);
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
    const order = openOrder(bundle.order, sets, anySetAt(sets, ref).set);
    checkSound(order);
    heldSetAt(sets, order.order.set);
    checkGrants(order, sets);
    return order;
  };
  const [order = judge(named)] = [...new Map(decidedBy.map((ref) => [ref.version, ref])).values()].map(judge);
  for (const key of [order.order.key, ...order.order.cosigners.map((cosigner) => cosigner.key)]) {
    const ended = findKeyEver(sets, key)?.entry.ended;
    if (ended?.is === 'compromised' && !ended.kept.includes(order.digest)) {
      throw new TrustError(
        'verify.signer_compromised',
        `the key ${key} is compromised: only somebody else's word on the time could still prove this order`,
      );
    }
  }
  return order;
}

function openBundledReceipt(
  entry: Bundle['receipts'][number],
  sets: HeldSets,
  agents: readonly Admitted[],
): VerifiedReceipt {
  const [agent, receipt] = openByAnyAgent(entry.receipt, sets, agents);
  anySetAt(sets, receipt.predicate.set);
  // One removed as compromised has no admission any more.
  const removed = findRemoval(sets, agent.identity);
  if (removed?.is === 'retired' && receipt.predicate.ended > removed.since)
    throw new TrustError('verify.agent_retired', `the agent ${agent.name} had been removed by then`);
  const isCountersigned = entry.received !== null && judgeCountersignature(entry.received, receipt, sets);
  return { ...receipt, agent, isCountersigned };
}

/** @returns whether it is somebody else's word: not that of a key which a server can use or a thief had. */
function judgeCountersignature(envelope: Envelope, receipt: JudgedReceipt, sets: HeldSets): boolean {
  const received = judgeReceived(envelope, sets.cluster, new Set(allKeysEver(sets)));
  if (received.receipt !== receipt.digest)
    throw new TrustError('received.refused', 'the countersignature is over another receipt');
  const then = findKey(anySetAt(sets, received.set).set, received.by.key);
  const now = findKeyEver(sets, received.by.key);
  if (then?.person.id !== received.by.person || !now)
    throw new TrustError('received.refused', 'the countersignature is not by the person that it names');
  return !keyFault(now, { at: received.time, digest: receipt.digest });
}

/** An invite admits one agent, and a number of an agent's own chain stands for one receipt: twice is a thief or a copy. */
function refuseTwins(agents: readonly Admitted[], receipts: readonly VerifiedReceipt[]): void {
  const joined = new Map<string, string>();
  for (const { invite, identity } of agents) {
    if (invite === null) continue;
    if ((joined.get(invite) ?? identity) !== identity)
      throw new TrustError('verify.invite_used_twice', `two agents were admitted by one invite: ${invite}`);
    joined.set(invite, identity);
  }
  const numbered = new Map<string, string>();
  for (const { agent, predicate, digest } of receipts) {
    const place = `${agent.identity} ${predicate.seq}`;
    if ((numbered.get(place) ?? digest) !== digest)
      throw new TrustError(
        'verify.agent_copied',
        `the agent ${agent.name} signed two receipts as its number ${predicate.seq}: somebody has a copy of it`,
      );
    numbered.set(place, digest);
  }
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
