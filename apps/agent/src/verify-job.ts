import type { Envelope, FromServer, Order, Profile, RefusalCode, SignerSet, Variant } from '@writ/contract';
import {
  checkFreshness,
  checkGrants,
  checkMachine,
  checkSetNamed,
  checkSound,
  checkTimes,
  chooseProfile,
  chooseVariant,
  envelopeDigest,
  judgeReplay,
  openOrder,
  refuse,
  TrustError,
} from '@writ/trust';
import type { HeldSets, MachineFacts, OpenedOrder, StartRecord } from '@writ/trust';

export type Lease = Extract<FromServer, { is: 'lease' }>;
export type LeaseTask = Lease['tasks'][number];

/** Everything that an order is compared with. All of it is this machine's own; none of it was said by a server. */
export interface Judge {
  readonly identity: string;
  readonly sets: HeldSets;
  readonly newestWord: number;
  readonly machine: MachineFacts;
  readonly owner: OwnerPolicy;
  readonly now: number;
  readonly purgedUpTo: number;
  readonly witnessed: number;
  isWithdrawn(order: string, index: number, person: string): boolean;
}

/** The owner narrows the signer set. `everyone`: whoever is in it. */
export type OwnerPolicy = { readonly is: 'everyone' };

export interface VerifiedOrder extends OpenedOrder {
  readonly variant: { readonly index: number; readonly variant: Variant };
  readonly profile: Profile;
  /** The set that counted when it was verified: another one, and it is verified again. */
  readonly under: SignerSet;
}

export interface Refusal {
  readonly code: RefusalCode;
  readonly detail: string;
}

/**
 * The checks before a start, first half: what does not depend on the task. Nothing else happens here, and nothing of
 * the order is used before it has passed. `before`: what an earlier lease of the same order came to.
 * @throws TrustError whose code is the refusal's.
 */
export function verifyOrder(
  lease: Lease,
  envelope: Envelope | undefined,
  judge: Judge,
  before?: VerifiedOrder,
): VerifiedOrder {
  checkLease(lease, envelope, judge); //                                 1 the lease is for my key and of this order
  const verified = isStillGood(before, judge) ? before : open(envelope, judge); // 2 envelope · 3 signer
  checkSound(verified);
  checkLeaseNames(lease, verified.order);
  checkSetNamed(verified, judge.sets); //                                4 the set that it names
  checkFreshness(judge.sets, judge.newestWord, judge.now); //            5
  checkGrants(verified, judge.sets); //                                  6
  checkTimes(verified, judge); //                                        7
  checkMachine(verified, judge.machine); //                              8
  checkOwner(judge.owner); //                                            9
  if (before !== undefined && verified === before) return before;
  const variant = chooseVariant(verified.order, judge.machine);
  const profile = chooseProfile(verified.order, judge.machine);
  return { ...verified, variant, profile, under: judge.sets.current };
}

/** Second half, for each task: 10 and 11. What is left is 12, the inputs, and 13, the durable record. */
export function verifyTask(
  verified: VerifiedOrder,
  { index, attempt }: LeaseTask,
  judge: Judge,
  before: StartRecord | undefined,
): 'start' | 'adopt' {
  checkNotWithdrawn(verified, index, judge); //                          10
  return judgeReplay(verified.order, verified.digest, index, attempt, before); //          11
}

/** At the moment of the start, because the lease may have waited: 3, 5, 9 and 10 once more, and the end of the order. */
export function verifyAtStart(
  verified: VerifiedOrder,
  envelope: Envelope,
  index: number,
  judge: Judge,
): void {
  if (!isStillGood(verified, judge)) open(envelope, judge); //           3
  checkFreshness(judge.sets, judge.newestWord, judge.now); //            5
  checkTimes(verified, judge); //                                        7
  checkOwner(judge.owner); //                                            9
  checkNotWithdrawn(verified, index, judge); //                   10
}

/** Errors that are refusals; anything else is this program's own fault and is not reported as the order's. */
export function asRefusal(error: unknown): Refusal {
  if (error instanceof TrustError) return { code: codeOf(error.code), detail: error.message.slice(0, 1000) };
  throw error;
}

function checkLease(
  lease: Lease,
  envelope: Envelope | undefined,
  judge: Judge,
): asserts envelope is Envelope {
  if (lease.identity !== judge.identity)
    throw refuse('lease.not_mine', `the lease is for ${lease.identity}, this agent is ${judge.identity}`);
  if (!envelope) throw refuse('lease.order_mismatch', `the order ${lease.order} did not come with its lease`);
  if (envelopeDigest(envelope) !== lease.order)
    throw refuse('lease.order_mismatch', `the lease is of ${lease.order}, the order that came is another`);
}

function checkLeaseNames(lease: Lease, order: Order): void {
  if (lease.job !== order.job)
    throw refuse(
      'lease.order_mismatch',
      `the lease is of job ${lease.job}, the order is of job ${order.job}`,
    );
}

const isStillGood = (before: VerifiedOrder | undefined, judge: Judge): before is VerifiedOrder =>
  before?.under === judge.sets.current;

const open = (envelope: Envelope, judge: Judge): OpenedOrder => openOrder(envelope, judge.sets);

function checkOwner(policy: OwnerPolicy): void {
  switch (policy.is) {
    case 'everyone':
      return;
  }
}

function checkNotWithdrawn({ order, digest }: VerifiedOrder, index: number, judge: Judge): void {
  if (judge.isWithdrawn(digest, index, order.person))
    throw refuse('order.withdrawn', `task ${index} of this order was withdrawn`);
}

function codeOf(code: string): RefusalCode {
  return code.startsWith('envelope.') ? 'order.envelope_bad' : (code as RefusalCode);
}
