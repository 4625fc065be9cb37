import { PAYLOAD_TYPES } from '@writ/contract';
import type { Grants, Person, SignerKey, SignerSet } from '@writ/contract';
import { seal } from '../envelope/seal.ts';
import type { Sealed } from '../envelope/seal.ts';
import type { Signer } from '../keys.ts';
import { TrustError } from '../trust-error.ts';
import type { HeldSet } from './held-set.ts';
import type { HeldSets } from './held-sets.ts';

/** What a version says, without its place in the line. */
export type SetContent = Omit<
  SignerSet,
  'format' | 'version' | 'time' | 'previous' | 'nonce' | 'cluster' | 'supersedes'
>;
export type SetChange = (content: SetContent) => SetContent;

/** How a key leaves: what it had ordered before may still run, or nothing that it signed counts. */
export type KeyEnd = NonNullable<SignerKey['ended']>;

/**
 * The version that follows the newest one held, signed by nobody yet. A fork that is known is settled by it: whatever was
 * signed beside the line has lost.
 *
 * @param by what it changes; several are made one after the other.
 */
export function nextSet(sets: HeldSets, now: number, ...by: readonly SetChange[]): SignerSet {
  const { newest, rivals, chain } = sets;
  const lost = rivals.filter((rival) => chain.some(({ digest }) => digest === rival.set.previous));
  return {
    ...contentOf(newest.set, by),
    format: 1,
    version: newest.set.version + 1,
    time: Math.max(now, newest.set.time),
    supersedes: lost.map(({ digest }) => digest),
    cluster: sets.cluster,
    previous: newest.digest,
  };
}

/**
 * The same by the recovery key: above every version that is known, so that no branch of a thief is longer.
 *
 * @param after the last one that nobody wrongly signed: what came later counts no more.
 */
export function nextRecoverySet(
  sets: HeldSets,
  now: number,
  after: HeldSet,
  ...by: readonly SetChange[]
): SignerSet {
  const versions = [...sets.chain, ...sets.beside].map(({ set }) => set.version);
  return {
    ...contentOf(after.set, by),
    format: 1,
    version: Math.max(...versions) + 1,
    time: Math.max(now, after.set.time),
    supersedes: [],
    cluster: sets.cluster,
    previous: after.digest,
  };
}

export const signSet = (set: SignerSet, signers: readonly Signer[]): Sealed =>
  seal(PAYLOAD_TYPES.signerSet, set, signers);

function contentOf(set: SignerSet, by: readonly SetChange[]): SetContent {
  const {
    format: _format,
    version: _version,
    time: _time,
    previous: _previous,
    supersedes: _lost,
    ...rest
  } = set;
  const content: SetContent & { nonce?: unknown; cluster?: unknown } = { ...rest };
  delete content.nonce;
  delete content.cluster;
  return by.reduce<SetContent>((made, change) => change(made), content);
}

/** @throws `signer.name_taken`, `signer.key_known` */
export const addPerson =
  (person: Person): SetChange =>
  (content) => {
    if (content.persons.some(({ id, name }) => id === person.id || name === person.name))
      throw new TrustError(
        'signer.name_taken',
        `somebody is called ${person.name} already: a name is never given to a second person`,
      );
    for (const { key } of person.keys) refuseKnown(content, key);
    return { ...content, persons: [...content.persons, person] };
  };

/** @throws `signer.unknown`, `signer.key_known` */
export const addKey =
  (id: string, entry: SignerKey): SetChange =>
  (content) => {
    refuseKnown(content, entry.key);
    return changePerson(content, id, (person) => ({ ...person, keys: [...person.keys, entry] }));
  };

/** Ends the keys of a person that are named, or all. Who has none left changes the set no more. @throws `signer.unknown`, `signer.last_changer` */
export const endKeys =
  (id: string, end: KeyEnd, keys?: readonly string[]): SetChange =>
  (content) => {
    const isMeant = ({ key, ended }: SignerKey): boolean =>
      (keys?.includes(key) ?? true) && ended?.is !== 'compromised';
    const changed = changePerson(content, id, (person) => {
      if (!person.keys.some(isMeant))
        throw new TrustError('signer.unknown', `${person.name} has no such key that has not ended`);
      return { ...person, keys: person.keys.map((key) => (isMeant(key) ? { ...key, ended: end } : key)) };
    });
    const isLeft = (person: Person): boolean => person.keys.some(({ ended }) => ended === null);
    return withChangers(
      changed,
      changed.changers.filter((changer) => changed.persons.some((one) => one.id === changer && isLeft(one))),
    );
  };

/** A person's own key, ended by that person alone: it says nothing of who changes the set. @throws `signer.unknown` */
export const endOwnKey =
  (id: string, key: string, end: KeyEnd): SetChange =>
  (content) =>
    changePerson(content, id, (person) => {
      if (!person.keys.some((entry) => entry.key === key && entry.ended === null))
        throw new TrustError('signer.unknown', `${person.name} has no such key that has not ended`);
      const keys = person.keys.map((entry) => (entry.key === key ? { ...entry, ended: end } : entry));
      return { ...person, keys };
    });

export const setGrants =
  (id: string, grants: Grants): SetChange =>
  (content) =>
    changePerson(content, id, (person) => ({ ...person, grants }));

/** Who may change the set, and how many of them it takes. @throws `signer.unknown`, `signer.threshold` */
export const setChangers =
  (changers: readonly string[], threshold: number): SetChange =>
  (content) => {
    for (const id of changers) findPerson(content, id);
    if (threshold < 1 || threshold > changers.length)
      throw new TrustError(
        'signer.threshold',
        `${threshold} of ${changers.length} persons cannot sign: nobody could change the set any more`,
      );
    return { ...content, changers: [...changers], threshold };
  };

/**
 * Whoever holds the recovery key begins anew: this key of this person changes the set, and no other key of theirs or of
 * those who changed it before counts any more. @throws `signer.unknown`, `signer.key_known`
 */
export const replaceChangers =
  (id: string, entry: SignerKey, end: KeyEnd): SetChange =>
  (content) => {
    const before = new Set([...content.changers, id]);
    const ended: SetContent = {
      ...content,
      persons: content.persons.map((person) => ({
        ...person,
        keys: person.keys.map((key) =>
          before.has(person.id) && key.ended?.is !== 'compromised' ? { ...key, ended: end } : key,
        ),
      })),
      changers: [id],
      threshold: 1,
    };
    return addKey(id, entry)(ended);
  };

export const setRecovery =
  (key: string | null): SetChange =>
  (content) => ({ ...content, recovery: key });

export const setFreshness =
  (seconds: number): SetChange =>
  (content) => ({ ...content, freshnessSeconds: seconds });

/** An agent leaves: what it signed before `since` counts, or nothing. */
export const removeAgent =
  (removed: SignerSet['agentsRemoved'][number]): SetChange =>
  (content) => ({
    ...content,
    agentsRemoved: [
      ...content.agentsRemoved.filter(({ identity }) => identity !== removed.identity),
      removed,
    ],
  });

export const revokeInvite =
  (digest: string): SetChange =>
  (content) => ({ ...content, invitesRevoked: [...new Set([...content.invitesRevoked, digest])] });

function withChangers(content: SetContent, changers: readonly string[]): SetContent {
  if (changers.length < content.threshold)
    throw new TrustError(
      'signer.last_changer',
      `${content.threshold} must be able to change the set, and ${changers.length} would be left: name others first`,
    );
  return { ...content, changers: [...changers] };
}

function changePerson(content: SetContent, id: string, change: (person: Person) => Person): SetContent {
  const person = findPerson(content, id);
  return { ...content, persons: content.persons.map((one) => (one === person ? change(one) : one)) };
}

function findPerson({ persons }: SetContent, id: string): Person {
  const person = persons.find((one) => one.id === id);
  if (!person) throw new TrustError('signer.unknown', `nobody in the signer set has the id ${id}`);
  return person;
}

function refuseKnown(content: SetContent, key: string): void {
  const owner = content.persons.find(({ keys }) => keys.some((entry) => entry.key === key));
  if (owner)
    throw new TrustError(
      'signer.key_known',
      `this key is in the signer set already, as one of ${owner.name}`,
    );
}
