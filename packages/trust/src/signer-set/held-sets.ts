import { decodeBase32, encodeBase32 } from '@writ/contract';
import type { Person, SetRef, SignerKey, SignerSet } from '@writ/contract';
import { TrustError } from '../trust-error.ts';
import { allKeys, findKey } from './find-key.ts';
import type { HeldSet } from './held-set.ts';
import { personsOf } from './judge-set.ts';
import { setInForce } from './set-in-force.ts';

/** The signer sets that somebody holds: one line of versions, every one walked, and what was signed beside it. */
export interface HeldSets {
  readonly cluster: string;
  /** The line, from version 1 on. A version is missing only where the recovery key signed a higher one. */
  readonly chain: readonly HeldSet[];
  readonly newest: HeldSet;
  /** Sets of the same cluster, rightly signed, that are not in the line. */
  readonly beside: readonly HeldSet[];
  /** Those of them that no later version settles: somebody signed two sets of one version. */
  readonly rivals: readonly HeldSet[];
  /** What counts now: the newest of the line, without what its rivals remove. */
  readonly current: SignerSet;
}

/** Puts together what was checked. */
export function holdSets(chain: readonly HeldSet[], beside: readonly HeldSet[]): HeldSets {
  const [first] = chain;
  const newest = chain.at(-1);
  if (!first || !newest) throw new TrustError('set.malformed', 'there is no signer set');
  const rivals = beside.filter((one) => !isSettled(one, chain, beside));
  return {
    cluster: clusterIdOf(first.digest),
    chain,
    newest,
    beside,
    rivals,
    current: setInForce(newest.set, rivals, chain),
  };
}

/** Sets one after the other, and the place in the line of the one that the first of them follows. */
export interface Branch {
  readonly from: number;
  readonly path: readonly HeldSet[];
}

/** The sets from one of the line (without it) to this one, which lies beside it or would follow something beside it. */
export function branchTo(
  tip: HeldSet,
  chain: readonly HeldSet[],
  beside: readonly HeldSet[],
): Branch | undefined {
  const path = [tip];
  for (;;) {
    const { previous } = path[0]!.set;
    const from = chain.findIndex((held) => held.digest === previous);
    if (from >= 0) return { from, path };
    const before = beside.find((held) => held.digest === previous && !path.includes(held));
    if (!before) return undefined;
    path.unshift(before);
  }
}

/** Whether a later version of the line says that its branch has lost, or the recovery key has ended it. */
function isSettled(one: HeldSet, chain: readonly HeldSet[], beside: readonly HeldSet[]): boolean {
  const branch = branchTo(one, chain, beside);
  const later = branch ? chain.slice(branch.from + 1) : chain;
  return later.some(
    (held) =>
      (branch && isSettledBy(held, branch.path[0]!, chain[branch.from]!)) ||
      (held.set.version > one.set.version &&
        one.set.recovery !== null &&
        held.signedBy.includes(one.set.recovery)),
  );
}

/** Whether this says that a branch has lost, in the word of those who could change the set from which it began. */
export const isSettledBy = (settling: HeldSet, lost: HeldSet, ancestor: HeldSet): boolean =>
  settling.set.supersedes.includes(lost.digest) &&
  personsOf(settling, ancestor.set).size >= ancestor.set.threshold;

export const clusterIdOf = (firstSetDigest: string): string =>
  encodeBase32(
    Uint8Array.from(firstSetDigest.slice('sha256:'.length).match(/../g) ?? [], (hex) =>
      Number.parseInt(hex, 16),
    ),
  );

export function firstSetDigestOf(cluster: string): string {
  const bytes = decodeBase32(cluster);
  if (bytes?.length !== 32) throw new TrustError('set.cluster_other', `“${cluster}” is not a cluster id`);
  return `sha256:${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** The set of the line that a reference means. @throws `order.set_unknown` when it is newer, `order.set_fork` when the line has another. */
export function heldSetAt(sets: HeldSets, ref: SetRef): HeldSet {
  const held = sets.chain.find(({ set }) => set.version === ref.version);
  if (held?.digest === ref.digest) return held;
  if (ref.version > sets.newest.set.version)
    throw new TrustError(
      'order.set_unknown',
      `signer set version ${ref.version} is not known here (newest: ${sets.newest.set.version})`,
    );
  throw new TrustError(
    'order.set_fork',
    `the signer set version ${ref.version} held here is ${held?.digest ?? 'none'}, not ${ref.digest}`,
  );
}

/** The same for what was decided long ago: a machine may have held a branch that lost later. */
export const anySetAt = (sets: HeldSets, ref: SetRef): HeldSet =>
  sets.beside.find(({ set, digest }) => set.version === ref.version && digest === ref.digest) ??
  heldSetAt(sets, ref);

export const setRef = (held: HeldSet): SetRef => ({ version: held.set.version, digest: held.digest });

/** What is known last of a key: an entry that later versions leave out says what it said. */
export function findKeyEver(sets: HeldSets, key: string): { person: Person; entry: SignerKey } | undefined {
  for (const set of newestFirst(sets)) {
    const found = findKey(set, key);
    if (found) return found;
  }
  return undefined;
}

/** Keys of all versions held: for objects that outlive the entry of whoever signed them. */
export const allKeysEver = (sets: HeldSets): string[] => [...new Set(newestFirst(sets).flatMap(allKeys))];

/** An agent that was removed stays so, also where later versions do not repeat it. */
export function findRemoval(
  sets: HeldSets,
  identity: string,
): SignerSet['agentsRemoved'][number] | undefined {
  for (const set of newestFirst(sets)) {
    const found = set.agentsRemoved.find((removed) => removed.identity === identity);
    if (found) return found;
  }
  return undefined;
}

const newestFirst = (sets: HeldSets): SignerSet[] => [
  sets.current,
  ...sets.chain.toReversed().map((held) => held.set),
];
