import type { Person, SignerKey, SignerSet } from '@writ/contract';

export function findKey(set: SignerSet, key: string): { person: Person; entry: SignerKey } | undefined {
  for (const person of set.persons) {
    const entry = person.keys.find((candidate) => candidate.key === key);
    if (entry) return { person, entry };
  }
  return undefined;
}

export const allKeys = (set: SignerSet): string[] =>
  set.persons.flatMap((person) => person.keys.map((entry) => entry.key));
