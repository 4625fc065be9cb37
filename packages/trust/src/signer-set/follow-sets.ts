import type { Envelope, SignerSet } from '@writ/contract';
import { TrustError } from '../trust-error.ts';
import { branchTo, clusterIdOf, holdSets, isSettledBy } from './held-sets.ts';
import type { HeldSet } from './held-set.ts';
import type { Branch, HeldSets } from './held-sets.ts';
import {
  checkRecoverySet,
  isByRecovery,
  isSignedByBoth,
  judgeSignatures,
  personsOf,
  readSet,
  refuseStrangers,
} from './judge-set.ts';

/** What became of a set that somebody showed. */
export interface MetSet {
  readonly sets: HeldSets;
  /**
   * `followed`: the line ends with it now. `known`: it was held already. `rival`: it is rightly signed and cannot follow
   * what is held: an alarm, with both as proof.
   */
  readonly is: 'followed' | 'known' | 'rival';
  /** For a rival: which sets do not go together. */
  readonly why: string;
}

/** More than honest people ever make; a changer who signs without end fills nobody's memory. */
const MOST_BESIDE = 64;

/**
 * Holds a first set. With `cluster`, the only set that fits is the one whose digest it is; without, whoever calls
 * makes or has compared the set himself.
 */
export function startSets(envelope: Envelope, cluster?: string): HeldSets {
  const held = readSet(envelope);
  judgeSignatures(held, null);
  refuseStrangers(held, [held.set], []);
  if (held.set.version !== 1)
    throw new TrustError('set.version_skipped', `a chain begins with version 1, not ${held.set.version}`);
  const id = clusterIdOf(held.digest);
  if (cluster !== undefined && cluster !== id)
    throw new TrustError('set.cluster_other', `this set begins cluster ${id}, not ${cluster}`);
  return holdSets([held], []);
}

/**
 * Takes the next version: exactly held + 1, naming its predecessor, not earlier than it, signed by the changers of both; or any
 * higher one by the recovery key. Another set of a version held, rightly signed, is `set.fork`: somebody has signed two.
 */
export function followSet(sets: HeldSets, envelope: Envelope): HeldSets {
  const met = meetSet(sets, envelope);
  if (met.is === 'known')
    throw new TrustError(
      'set.rolled_back',
      `this version is not newer than the ${sets.newest.set.version} held`,
    );
  if (met.is === 'rival') throw new TrustError('set.fork', met.why);
  return met.sets;
}

/** One line, from version 1 on, and branches that it has settled. @throws `set.fork` where two sets of one version both stand. */
export function walkSets(envelopes: readonly Envelope[], cluster: string): HeldSets {
  const sets = gatherSets(envelopes, cluster);
  const [rival] = sets.rivals;
  if (rival) throw new TrustError('set.fork', sayRivals(rival, sets));
  return sets;
}

/** The same, with whatever forks there are, as somebody kept them who has seen one. */
export function gatherSets(envelopes: readonly Envelope[], cluster: string): HeldSets {
  const [first, ...later] = envelopes;
  if (!first) throw new TrustError('set.malformed', 'there is no signer set');
  return later.reduce((sets, envelope) => meetSet(sets, envelope).sets, startSets(first, cluster));
}

/** Every set held of a later version, in an order in which {@link gatherSets} makes the same of all of them again. */
export const allSets = ({ chain, beside }: HeldSets, after = 0): Envelope[] =>
  [...chain, ...beside].filter(({ set }) => set.version > after).map(({ envelope }) => envelope);

/** As {@link followSet}, and keeps what does not go together with what is held. */
export function meetSet(sets: HeldSets, envelope: Envelope): MetSet {
  const next = readSet(envelope);
  const { set, digest } = next;
  const isKnown = [...sets.chain, ...sets.beside].some((held) => held.digest === digest);
  if (isKnown) return { sets, is: 'known', why: '' };
  const isOfCluster = !('nonce' in set) && set.cluster === sets.cluster;
  const before = [...sets.chain, ...sets.beside].find((held) => held.digest === set.previous);
  const isOrdinary = before === sets.newest && isSignedByBoth(next, before.set);
  if (isOfCluster && !isOrdinary && isByRecovery(next, sets.newest.set)) return recover(sets, next);
  if (!isOfCluster) throw new TrustError('set.cluster_other', `this set is not of cluster ${sets.cluster}`);
  if (!before)
    throw new TrustError(
      'set.previous_unknown',
      `version ${set.version} follows ${set.previous}, which is not held here: ${sayHeld(sets, set.version - 1)}`,
    );
  judgeSignatures(next, before.set);
  refuseStrangers(next, [before.set, set], othersOf(next, before.set, sets));
  if (set.version !== before.set.version + 1)
    throw new TrustError(
      'set.version_skipped',
      `version ${set.version} does not follow version ${before.set.version}`,
    );
  // The time says whether a changer's key had expired: whoever finds an old key would write an old time.
  if (set.time < before.set.time)
    throw new TrustError(
      'set.time_backwards',
      `version ${set.version} says a time before that of version ${before.set.version}, which it follows`,
    );
  checkSettling(next, sets);
  if (before === sets.newest)
    return { sets: holdSets([...sets.chain, next], sets.beside), is: 'followed', why: '' };
  return joinBranch(sets, next) ?? keepRival(sets, next);
}

/** Whatever branch is held: the holder of the recovery key has the last word. */
function recover(sets: HeldSets, next: HeldSet): MetSet {
  const { recovery } = sets.newest.set;
  refuseStrangers(next, [next.set], recovery === null ? [] : [recovery]);
  const branch = branchTo(next, sets.chain, sets.beside);
  if (!branch) return { sets: holdSets([...sets.chain, next], sets.beside), is: 'followed', why: '' };
  const before = branch.path.at(-2) ?? sets.chain[branch.from]!;
  checkRecoverySet(next, before.set);
  return { sets: takeBranch(sets, branch), is: 'followed', why: '' };
}

/** A branch that says the one held here has lost, in the word of those who could change the last set of both. */
function joinBranch(sets: HeldSets, tip: HeldSet): MetSet | undefined {
  const branch = branchTo(tip, sets.chain, sets.beside);
  const mine = branch && sets.chain[branch.from + 1];
  if (!branch || !mine || tip.set.version <= sets.newest.set.version) return undefined;
  const ancestor = sets.chain[branch.from]!;
  if (!branch.path.some((held) => isSettledBy(held, mine, ancestor))) return undefined;
  return { sets: takeBranch(sets, branch), is: 'followed', why: '' };
}

/** The line goes on with the branch; what it had instead lies beside it. */
function takeBranch({ chain, beside }: HeldSets, { from, path }: Branch): HeldSets {
  const others = beside.filter((held) => !path.includes(held));
  return holdSets([...chain.slice(0, from + 1), ...path], [...others, ...chain.slice(from + 1)]);
}

function keepRival(sets: HeldSets, next: HeldSet): MetSet {
  const why = sayRivals(next, sets);
  if (sets.beside.length >= MOST_BESIDE) throw new TrustError('set.fork', why);
  return { sets: holdSets(sets.chain, [...sets.beside, next]), is: 'rival', why };
}

/** Who says that a branch has lost speaks for those who could change the set where both began. */
function checkSettling(next: HeldSet, sets: HeldSets): void {
  for (const ancestor of ancestorsOf(next, sets)) {
    const persons = personsOf(next, ancestor).size;
    if (persons < ancestor.threshold)
      throw new TrustError(
        'set.signatures_short',
        `version ${next.set.version} settles a fork after version ${ancestor.version}, and has ${persons} of the ${ancestor.threshold} persons who could change that`,
      );
  }
}

/** Where the branches began that this set says have lost, as far as they are known here. */
const ancestorsOf = ({ set }: HeldSet, sets: HeldSets): SignerSet[] =>
  [...sets.chain, ...sets.beside]
    .filter((held) => set.supersedes.includes(held.digest))
    .flatMap((lost) => [...sets.chain, ...sets.beside].filter((held) => held.digest === lost.set.previous))
    .map((held) => held.set);

function othersOf(next: HeldSet, before: SignerSet, sets: HeldSets): string[] {
  const recovery = before.recovery !== next.set.recovery ? before.recovery : null;
  const own = next.signedBy.length === 1 ? next.signedBy : [];
  const settling = ancestorsOf(next, sets).flatMap((ancestor) =>
    ancestor.persons
      .filter(({ id }) => ancestor.changers.includes(id))
      .flatMap(({ keys }) => keys.map(({ key }) => key)),
  );
  return [...(recovery === null ? [] : [recovery]), ...own, ...settling];
}

const sayRivals = ({ set: { version }, digest }: HeldSet, sets: HeldSets): string =>
  `two signer sets call themselves version ${version}: ${digest}, and ${sayHeld(sets, version)}`;

function sayHeld(sets: HeldSets, version: number): string {
  const held = sets.chain.find(({ set }) => set.version === version);
  return held ? `version ${version} held here is ${held.digest}` : `no version ${version} is held here`;
}
