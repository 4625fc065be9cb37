import type { SignerKey, SignerSet } from '@writ/contract';

/** As much of a checked set as is needed here. */
interface Checked {
  readonly set: SignerSet;
  readonly digest: string;
}

/**
 * Two sets that call themselves the same version: nobody here can know which one holds, so nothing counts that either
 * has taken away. What only a rival adds never counts.
 */
export function setInForce(
  newest: SignerSet,
  rivals: readonly Checked[],
  line: readonly Checked[],
): SignerSet {
  return rivals.reduce((set, rival) => without(set, rival, line), newest);
}

function without(set: SignerSet, { set: rival }: Checked, line: readonly Checked[]): SignerSet {
  const before = line.find((held) => held.digest === rival.previous)?.set;
  const knewPerson = new Set(before?.persons.map(({ id }) => id));
  const knewKey = new Set(before?.persons.flatMap(({ keys }) => keys.map(({ key }) => key)));
  const theirs = new Map(
    rival.persons.flatMap(({ keys }) => keys.map((entry) => [entry.key, entry] as const)),
  );
  const gone: SignerKey['ended'] = { is: 'retired', since: rival.time };
  const endOf = (entry: SignerKey): SignerKey['ended'] => {
    if (entry.ended?.is === 'compromised') return entry.ended;
    const their = theirs.get(entry.key);
    if (their) return their.ended ?? entry.ended;
    return knewKey.has(entry.key) ? (entry.ended ?? gone) : entry.ended;
  };
  return {
    ...set,
    persons: set.persons.map((person) => ({
      ...person,
      keys: person.keys.map((entry) => ({ ...entry, ended: endOf(entry) })),
    })),
    changers: set.changers.filter((id) => rival.changers.includes(id) || !knewPerson.has(id)),
    agentsRemoved: [
      ...set.agentsRemoved,
      ...rival.agentsRemoved.filter(
        ({ identity }) => !set.agentsRemoved.some((removed) => removed.identity === identity),
      ),
    ],
    invitesRevoked: [...new Set([...set.invitesRevoked, ...rival.invitesRevoked])],
    definitionsWithdrawn: [...new Set([...set.definitionsWithdrawn, ...rival.definitionsWithdrawn])],
  };
}
