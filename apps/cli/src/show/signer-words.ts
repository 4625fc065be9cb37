import type { Person, SignerKey, SignerSet } from '@writ/contract';
import type { HeldSet, HeldSets } from '@writ/trust';
import { findKey } from '@writ/trust';
import { instantText } from './instant-text.ts';

/** What a person may do, in a few words. */
export function rightsText({ id, grants }: Person, set: SignerSet): string {
  const { order } = grants;
  const words = [
    order && `orders up to ${order.profile}${order.network ? ', network' : ''}`,
    order && !order.queues.includes('*') && `queues ${order.queues.join(', ') || 'none'}`,
    order && !order.raw && 'definitions only',
    grants.admit && 'admits',
    grants.withdraw && 'withdraws',
    set.changers.includes(id) && 'changes signers',
  ];
  return words.filter((word) => typeof word === 'string').join('; ') || 'nothing';
}

export const keyState = ({ ended, until }: SignerKey): string =>
  ended
    ? `${ended.is} since ${instantText(ended.since)}`
    : until === null
      ? 'counts'
      : `counts until ${instantText(until)}`;

export const personState = ({ keys }: Person): string =>
  keys.some(({ ended }) => ended === null)
    ? 'counts'
    : keys.some(({ ended }) => ended?.is === 'compromised')
      ? 'removed, compromised'
      : 'removed';

/** Who signed it, by the names that it or any version held gives them. */
export const signedText = ({ set, signedBy }: HeldSet, sets: HeldSets): string =>
  signedBy
    .map((key) => {
      const known = [set, ...sets.chain.map((held) => held.set)];
      const name = known.map((one) => findKey(one, key)?.person.name).find((found) => found !== undefined);
      return name ?? (known.some(({ recovery }) => recovery === key) ? 'the recovery key' : key);
    })
    .join(', ');

/** What one version has that the one before it had not. */
export function describeChange(set: SignerSet, before: SignerSet | undefined): string[] {
  if (!before) return ['the first'];
  const nameOf = (id: string): string => set.persons.find((person) => person.id === id)?.name ?? id;
  const was = new Map(before.persons.map((person) => [person.id, person]));
  const persons = set.persons.flatMap((person) => {
    const old = was.get(person.id);
    if (!old) return [`adds ${person.name}`];
    const keys = person.keys.flatMap((key) => {
      const known = old.keys.find((one) => one.key === key.key);
      if (!known) return [`adds the key ${key.name} of ${person.name}`];
      return key.ended && !known.ended ? [`the key ${key.name} of ${person.name} is ${key.ended.is}`] : [];
    });
    const isOther = JSON.stringify(old.grants) !== JSON.stringify(person.grants);
    return [...keys, ...(isOther ? [`other rights for ${person.name}`] : [])];
  });
  const isNew = <T>(list: readonly T[], old: readonly T[]): T[] => {
    const known = new Set(old.map((one) => JSON.stringify(one)));
    return list.filter((one) => !known.has(JSON.stringify(one)));
  };
  return [
    ...persons,
    ...before.persons
      .filter(({ id }) => !set.persons.some((one) => one.id === id))
      .map(({ name }) => `leaves out ${name}`),
    ...(isNew(set.changers, before.changers).length + isNew(before.changers, set.changers).length > 0 ||
    set.threshold !== before.threshold
      ? [`${set.threshold} of ${set.changers.map(nameOf).join(', ')} change it`]
      : []),
    ...(set.recovery !== before.recovery
      ? [
          set.recovery === null
            ? 'no recovery key'
            : before.recovery === null
              ? 'a recovery key'
              : 'another recovery key',
        ]
      : []),
    ...isNew(set.agentsRemoved, before.agentsRemoved).map(({ identity, is }) => `agent ${identity} is ${is}`),
    ...isNew(set.invitesRevoked, before.invitesRevoked).map((digest) => `invite ${digest} is revoked`),
    ...(JSON.stringify(set.authorities) !== JSON.stringify(before.authorities) ? ['other authorities'] : []),
    ...(set.freshnessSeconds !== before.freshnessSeconds ? [`fresh for ${set.freshnessSeconds} s`] : []),
    ...set.supersedes.map((digest) => `settles a fork: ${digest} has lost`),
  ];
}
