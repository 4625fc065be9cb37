import { decodeBase32, encodeBase32, PAYLOAD_TYPES, signerSetCheck } from '@writ/contract';
import type { Envelope, Person, SetRef, SignerKey, SignerSet } from '@writ/contract';
import { openEnvelope } from '../envelope/open.ts';
import { isStrongEd25519 } from '../keys.ts';
import { TrustError } from '../trust-error.ts';
import { keyFault } from './key-fault.ts';

/** A signer set that was checked. */
export interface HeldSet {
  readonly set: SignerSet;
  readonly digest: string;
  readonly envelope: Envelope;
}

/** The chain of signer sets that somebody holds, from version 1, every version walked. */
export interface HeldSets {
  readonly cluster: string;
  readonly chain: readonly HeldSet[];
  readonly newest: HeldSet;
}

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

/**
 * Holds a first set. With `cluster`, the only set that fits is the one whose digest it is; without, whoever calls
 * makes or has compared the set himself.
 */
export function startSets(envelope: Envelope, cluster?: string): HeldSets {
  const held = openSet(envelope, []);
  if (held.set.version !== 1)
    throw new TrustError('set.version_skipped', `a chain begins with version 1, not ${held.set.version}`);
  const id = clusterIdOf(held.digest);
  if (cluster !== undefined && cluster !== id)
    throw new TrustError('set.cluster_other', `this set begins cluster ${id}, not ${cluster}`);
  return { cluster: id, chain: [held], newest: held };
}

/**
 * Takes the next version: exactly held + 1, naming its predecessor, not earlier than it, signed by the changers of both. Another set of a
 * version held, rightly signed, is `set.fork`: somebody has signed two.
 */
export function followSet(sets: HeldSets, envelope: Envelope): HeldSets {
  const before = sets.newest;
  const held = openSet(envelope, sets.chain);
  const { version } = held.set;
  const known = sets.chain[version - 1];
  if (known && known.digest === held.digest)
    throw new TrustError(
      'set.rolled_back',
      `version ${version} is not newer than the ${before.set.version} held`,
    );
  if ('nonce' in held.set || held.set.cluster !== sets.cluster)
    throw new TrustError('set.cluster_other', `this set is not of cluster ${sets.cluster}`);
  if (known)
    throw new TrustError(
      'set.fork',
      `two signer sets call themselves version ${version}: ${held.digest} and ${known.digest}`,
    );
  if (version !== before.set.version + 1)
    throw new TrustError(
      'set.version_skipped',
      `version ${version} does not follow version ${before.set.version}`,
    );
  if (held.set.previous !== before.digest)
    throw new TrustError(
      'set.fork',
      `version ${held.set.version} follows another version ${before.set.version} than the one held`,
    );
  // The time says whether a changer's key had expired: whoever finds an old key would write an old time.
  if (held.set.time < before.set.time)
    throw new TrustError(
      'set.time_backwards',
      `version ${version} says a time before that of version ${before.set.version}, which it follows`,
    );
  return { cluster: sets.cluster, chain: [...sets.chain, held], newest: held };
}

export function walkSets(envelopes: readonly Envelope[], cluster: string): HeldSets {
  const [first, ...later] = envelopes;
  if (!first) throw new TrustError('set.malformed', 'there is no signer set');
  return later.reduce(followSet, startSets(first, cluster));
}

/** The held set that a reference means. @throws `order.set_unknown` when it is newer, `order.set_fork` when the chain has another. */
export function heldSetAt(sets: HeldSets, ref: SetRef): HeldSet {
  const held = sets.chain[ref.version - 1];
  if (!held)
    throw new TrustError(
      'order.set_unknown',
      `signer set version ${ref.version} is not known here (newest: ${sets.newest.set.version})`,
    );
  if (held.digest !== ref.digest)
    throw new TrustError(
      'order.set_fork',
      `two signer sets call themselves version ${ref.version}: ${ref.digest} and ${held.digest}`,
    );
  return held;
}

export const setRef = (held: HeldSet): SetRef => ({ version: held.set.version, digest: held.digest });

export function findKey(set: SignerSet, key: string): { person: Person; entry: SignerKey } | undefined {
  for (const person of set.persons) {
    const entry = person.keys.find((candidate) => candidate.key === key);
    if (entry) return { person, entry };
  }
  return undefined;
}

/** What is known last of a key: an entry that later versions leave out says what it said. */
export function findKeyEver(sets: HeldSets, key: string): { person: Person; entry: SignerKey } | undefined {
  for (let at = sets.chain.length - 1; at >= 0; at -= 1) {
    const found = findKey(sets.chain[at]!.set, key);
    if (found) return found;
  }
  return undefined;
}

/** Keys of all versions held: for objects that outlive the entry of whoever signed them. */
export const allKeysEver = (sets: HeldSets): string[] => [
  ...new Set(sets.chain.toReversed().flatMap((held) => allKeys(held.set))),
];

/** An agent that was removed stays so, also where later versions do not repeat it. */
export function findRemoval(
  sets: HeldSets,
  identity: string,
): SignerSet['agentsRemoved'][number] | undefined {
  for (let at = sets.chain.length - 1; at >= 0; at -= 1) {
    const found = sets.chain[at]!.set.agentsRemoved.find((removed) => removed.identity === identity);
    if (found) return found;
  }
  return undefined;
}

export const allKeys = (set: SignerSet): string[] =>
  set.persons.flatMap((person) => person.keys.map((entry) => entry.key));

/**
 * Signed by enough changers of the set before it and of itself, and by nobody else; where the recovery key's entry
 * changes, by that key as well, or whoever steals a changer's key would strike it out first.
 */
function openSet(envelope: Envelope, chain: readonly HeldSet[]): HeldSet {
  const newest = chain.at(-1)?.set;
  const {
    value: set,
    digest,
    signedBy,
  } = openEnvelope(envelope, {
    type: PAYLOAD_TYPES.signerSet,
    check: signerSetCheck,
    candidates: newest ? changerKeys(newest, newest.time) : [],
    mayNameItself: true,
    maxSignatures: MOST_SIGNATURES,
  });
  checkSound(set);
  const before = chain[Math.min(set.version - 1, chain.length) - 1]?.set;
  const judges = before ? [before, set] : [set];
  for (const judge of judges) {
    const persons = new Set(
      signedBy.map((key) => findChanger(judge, key, set.time)).filter((id) => id !== undefined),
    );
    if (persons.size < judge.threshold) {
      throw new TrustError(
        'set.signatures_short',
        `version ${set.version} has ${persons.size} of the ${judge.threshold} persons whose signatures version ${judge.version} asks for`,
      );
    }
  }
  const recovery = before && before.recovery !== set.recovery ? before.recovery : null;
  if (recovery !== null && !signedBy.includes(recovery))
    throw new TrustError(
      'set.recovery_unsigned',
      `version ${set.version} changes the recovery key, which has not signed it`,
    );
  const stranger = signedBy.find(
    (key) => key !== recovery && judges.every((judge) => findChanger(judge, key, set.time) === undefined),
  );
  if (stranger)
    throw new TrustError('set.signature_unexpected', `${stranger} signed, and may not change this set`);
  return { set, digest, envelope };
}

/** All changers of two versions, and the recovery key. */
const MOST_SIGNATURES = 129;

/** Keys that may change a set at that time: not ended, not expired, and never one that a server or its pages can use. */
const changerKeys = (set: SignerSet, at: number): string[] =>
  set.persons
    .filter((person) => set.changers.includes(person.id))
    .flatMap((person) =>
      person.keys
        .filter((entry) => entry.ended === null && !keyFault({ person, entry }, { at, digest: '' }))
        .map((entry) => entry.key),
    );

function findChanger(set: SignerSet, key: string, at: number): string | undefined {
  return changerKeys(set, at).includes(key) ? findKey(set, key)?.person.id : undefined;
}

function checkSound(set: SignerSet): void {
  const ids = set.persons.map((person) => person.id);
  const names = set.persons.map((person) => person.name);
  const keys = allKeys(set);
  const fault =
    (hasTwice(ids) && 'two persons have one id') ||
    (hasTwice(names) && 'two persons have one name') ||
    (hasTwice(keys) && 'one key stands in it twice') ||
    (set.recovery !== null && keys.includes(set.recovery) && 'the recovery key is also a person’s key') ||
    (hasTwice(set.groups.map((group) => group.name)) && 'two groups have one name') ||
    (hasTwice(set.queueRules.map((rule) => rule.queue)) && 'two rules are for one queue') ||
    (hasTwice(set.agentsRemoved.map((agent) => agent.identity)) && 'an agent is removed twice') ||
    (hasTwice(set.changers) && 'a changer stands in it twice') ||
    (!set.changers.every((id) => ids.includes(id)) && 'a changer is not among the persons') ||
    (set.threshold > set.changers.length && 'the threshold is higher than the number of changers');
  if (fault) throw new TrustError('set.malformed', `this signer set is refused: ${fault}`);
  const weak = [...keys, ...(set.recovery === null ? [] : [set.recovery])].find(
    (key) => /^(sk-)?ed25519:/.test(key) && !isStrongEd25519(key.replace(/^sk-/, '')),
  );
  if (weak) throw new TrustError('set.key_weak', `the key ${weak} is one under which anybody can sign`);
}

const hasTwice = (list: readonly string[]): boolean => new Set(list).size !== list.length;
