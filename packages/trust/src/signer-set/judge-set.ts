import { PAYLOAD_TYPES, signerSetCheck } from '@writ/contract';
import type { Envelope, Person, SignerSet } from '@writ/contract';
import { openEnvelope } from '../envelope/open.ts';
import { isStrongEd25519 } from '../keys.ts';
import { TrustError } from '../trust-error.ts';
import { allKeys, findKey } from './find-key.ts';
import type { HeldSet } from './held-set.ts';
import { keyFault } from './key-fault.ts';

/** All changers of two versions, the recovery key, and a common ancestor's changers where branches meet again. */
const MOST_SIGNATURES = 193;

/** Signed by the keys that it says, and sound in itself. Whether they may is not looked at. */
export function readSet(envelope: Envelope): HeldSet {
  const {
    value: set,
    digest,
    signedBy,
  } = openEnvelope(envelope, {
    type: PAYLOAD_TYPES.signerSet,
    check: signerSetCheck,
    candidates: [],
    mayNameItself: true,
    maxSignatures: MOST_SIGNATURES,
  });
  checkSound(set);
  return { set, digest, envelope, signedBy };
}

/**
 * May it follow this one? Enough changers of both have signed, and nobody else; where the recovery key's entry changes,
 * that key as well, or whoever steals a changer's key would strike it out first. Or a person ends a key of their own.
 *
 * @param before null for version 1, which its own changers sign.
 */
export function judgeSignatures(next: HeldSet, before: SignerSet | null): void {
  if (before && isOwnRemoval(next, before)) return;
  const { set, signedBy } = next;
  const judges = before ? [before, set] : [set];
  for (const judge of judges) {
    const persons = personsOf(next, judge).size;
    if (persons < judge.threshold) {
      throw new TrustError(
        'set.signatures_short',
        `version ${set.version} has ${persons} of the ${judge.threshold} persons whose signatures version ${judge.version} asks for`,
      );
    }
  }
  const recovery = before && before.recovery !== set.recovery ? before.recovery : null;
  if (recovery !== null && !signedBy.includes(recovery))
    throw new TrustError(
      'set.recovery_unsigned',
      `version ${set.version} changes the recovery key, which has not signed it`,
    );
}

/** @param others beside the changers of both: those of a common ancestor, the recovery key. */
export function refuseStrangers(
  { set, signedBy }: HeldSet,
  judges: readonly SignerSet[],
  others: readonly string[],
): void {
  const known = new Set([...judges.flatMap((judge) => changerKeys(judge, set.time)), ...others]);
  const stranger = signedBy.find((key) => !known.has(key));
  if (stranger)
    throw new TrustError('set.signature_unexpected', `${stranger} signed, and may not change this set`);
}

/** Whether the recovery key made it: it may replace those who change the set, whatever they have signed, and nothing else. */
export const isByRecovery = ({ signedBy, set }: HeldSet, held: SignerSet): boolean =>
  held.recovery !== null && signedBy.includes(held.recovery) && set.version > held.version;

/** Whether enough changers of a version and of the one before it have signed it. */
export const isSignedByBoth = (next: HeldSet, before: SignerSet): boolean =>
  [before, next.set].every((judge) => personsOf(next, judge).size >= judge.threshold);

/** @throws `set.recovery_limits` when it changes more than who changes the set. */
export function checkRecoverySet({ set }: HeldSet, before: SignerSet): void {
  if (sayRest(set, MAY_RECOVER) !== sayRest(before, MAY_RECOVER))
    throw new TrustError(
      'set.recovery_limits',
      `version ${set.version} is signed by the recovery key and changes more than persons and who may change the set`,
    );
}

/** The changers of one set who have signed the other. */
export function personsOf({ signedBy, set: { time } }: HeldSet, judge: SignerSet): Set<string> {
  const may = new Set(changerKeys(judge, time));
  return new Set(signedBy.filter((key) => may.has(key)).map((key) => findKey(judge, key)?.person.id ?? ''));
}

/** Keys that may change a set at that time: not ended, not expired, and never one that a server or its pages can use. */
const changerKeys = (set: SignerSet, at: number): string[] =>
  set.persons
    .filter((person) => set.changers.includes(person.id))
    .flatMap((person) => usableKeys(person, at));

const usableKeys = (person: Person, at: number): string[] =>
  person.keys
    .filter((entry) => entry.ended === null && !keyFault({ person, entry }, { at, digest: '' }))
    .map((entry) => entry.key);

/** What the place of a set in its line says. */
const PLACE = ['version', 'time', 'previous', 'nonce', 'cluster', 'supersedes'] as const;
const MAY_RECOVER = [...PLACE, 'persons', 'changers', 'threshold', 'recovery'] as const;

/** Whoever loses a device ends its key without waiting for anybody: nothing but that, by a key of the same person. */
function isOwnRemoval({ set, signedBy }: HeldSet, before: SignerSet): boolean {
  const [signer, ...others] = signedBy;
  const person = signer === undefined ? undefined : findKey(before, signer)?.person;
  if (!person || signer === undefined || others.length > 0) return false;
  if (!usableKeys(person, set.time).includes(signer) || set.supersedes.length > 0) return false;
  const mayEnd = [...PLACE, 'persons'] as const;
  if (sayRest(set, mayEnd) !== sayRest(before, mayEnd) || set.persons.length !== before.persons.length)
    return false;
  return before.persons.every((was, at) => {
    const is = set.persons[at]!;
    if (was.id !== person.id) return JSON.stringify(is) === JSON.stringify(was);
    const endable = was.keys.map((entry, place) => {
      const ended = is.keys[place]?.ended ?? null;
      return entry.ended === null ? { ...entry, ended } : entry;
    });
    return JSON.stringify(is) === JSON.stringify({ ...was, keys: endable });
  });
}

/** A set without some of its fields, as one text: equal texts say the same. */
function sayRest(set: SignerSet, without: readonly string[]): string {
  const rest = Object.entries(set).filter(([name]) => !without.includes(name));
  return JSON.stringify(rest.sort(([a], [b]) => (a < b ? -1 : 1)));
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
