import type { Envelope, Order, SignerSet } from '@writ/contract';
import { PAYLOAD_TYPES } from '@writ/contract';
import {
  ALL_GRANTS,
  followSet,
  type HeldSets,
  makeFirstSet,
  makeFreshness,
  makeInvite,
  makeWithdrawal,
  newId,
  seal,
  signerFromSeed,
  signOrder,
  startSets,
  type Signer,
} from '@writ/trust';
import { makeOrder } from '../make-order.ts';
import type { PlannedJob } from './plan-seed.ts';
import { throwDice } from './seeded-random.ts';
import type { Dice } from './seeded-random.ts';
import { commandOf } from './simulated-launcher.ts';

export interface Person {
  readonly id: string;
  readonly signer: Signer;
}

/** The persons of a cluster and what their programs hold: every key follows from the seed. */
export interface People {
  readonly ana: Person;
  readonly bob: Person;
  sets: HeldSets;
  /** The newest time in a signature of ana, who alone may change the set. */
  newestWord: number;
  /** Keys that stopped counting, and the version that says so. */
  readonly ended: Map<string, number>;
  invite(name: string, labels: readonly string[], now: number): ReturnType<typeof makeInvite>;
  /** The next version; `change` gets what stands in the newest one. */
  nextSet(now: number, change: (set: SignerSet) => Partial<SignerSet>): Envelope;
  freshness(now: number): Envelope;
  order(
    job: PlannedJob,
    now: number,
    agent: string | null,
  ): { order: Order; envelope: Envelope; digest: string };
  withdrawal(order: Order, digest: string, now: number): Envelope;
}

export function makePeople(dice: Dice, authority: string, begin: number): People {
  // The same cluster in every run: what is signed in it is then verified once.
  const theirs = throwDice(0, 'persons');
  const person = (): Person => ({
    id: newId((bytes) => theirs.fill(bytes)),
    signer: signerFromSeed(theirs.fill(new Uint8Array(32))),
  });
  const ana = person();
  const bob = person();
  const first = makeFirstSet(
    {
      nonce: newId((bytes) => theirs.fill(bytes)),
      now: begin,
      person: { id: ana.id, name: 'ana', keyName: 'ana-pc' },
      authorities: [authority],
    },
    ana.signer,
  );
  const people: People = {
    ana,
    bob,
    sets: startSets(first.envelope),
    newestWord: begin,
    ended: new Map(),
    invite: (name, labels, now) =>
      makeInvite(
        people.sets,
        { person: ana.id, signer: ana.signer },
        {
          role: 'agent',
          name,
          labels: labels.map((label) => ({ name: label, value: '' })),
          queues: ['*'],
          addresses: ['server:7411'],
        },
        now,
        (bytes) => theirs.fill(bytes),
      ),
    nextSet(now, change) {
      const { set, digest } = people.sets.newest;
      const { nonce: _nonce, ...rest } = set as SignerSet & { nonce?: string };
      const next = {
        ...rest,
        ...change(set),
        version: set.version + 1,
        cluster: people.sets.cluster,
        previous: digest,
        time: now,
      };
      const { envelope } = seal(PAYLOAD_TYPES.signerSet, next, [ana.signer]);
      people.sets = followSet(people.sets, envelope);
      people.newestWord = Math.max(people.newestWord, now);
      for (const key of next.persons.flatMap((one) => one.keys))
        if (key.ended?.is === 'compromised' && !people.ended.has(key.key))
          people.ended.set(key.key, next.version);
      return envelope;
    },
    freshness(now) {
      people.newestWord = Math.max(people.newestWord, now);
      return makeFreshness(people.sets, { person: ana.id, signer: ana.signer }, now).envelope;
    },
    order(job, now, agent) {
      const by = people[job.by];
      const made: Order = {
        ...makeOrder(people.sets, { id: by.id, signer: by.signer }),
        job: newId((bytes) => dice.fill(bytes)),
        runs: {
          is: 'command',
          variants: [
            {
              platform: { os: null, arch: null },
              command: {
                argv: commandOf(job.behaviour),
                variables: [],
                inputs: { is: 'list', files: [] },
                secrets: [],
              },
            },
          ],
        },
        machine: {
          facts: [],
          labels: job.label === null ? [] : [{ name: job.label, value: null }],
          agents: agent === null ? [] : [agent],
          excluded: [],
          notAdmitted: [],
        },
        array: job.tasks === 1 ? { is: 'one' } : { is: 'range', from: 0, to: job.tasks - 1 },
        maxAttempts: job.maxAttempts,
        retryOnFailure: job.retryOnFailure,
        issued: now,
        notAfter: now + (job.notAfterMs ?? 86_400_000),
      };
      if (job.by === 'ana') people.newestWord = Math.max(people.newestWord, now);
      return { order: made, ...signOrder(made, by.signer) };
    },
    withdrawal: (order, digest, now) => {
      const by = order.person === ana.id ? ana : bob;
      return makeWithdrawal(
        { cluster: people.sets.cluster, order: digest, indexes: null, person: by.id, now },
        by.signer,
      ).envelope;
    },
  };
  return people;
}

/** Bob may order, and nothing else. */
export const withBob = (bob: Person, set: SignerSet): Partial<SignerSet> => ({
  persons: [
    ...set.persons,
    {
      id: bob.id,
      name: 'bob',
      kind: 'person',
      keys: [
        {
          key: bob.signer.key,
          name: 'bob-pc',
          form: 'dsse',
          custody: 'own',
          until: null,
          order: null,
          ended: null,
        },
      ],
      grants: { ...ALL_GRANTS, admit: false, author: false, secrets: false, withdraw: false },
    },
  ],
});

export const withoutBob = (bob: Person, set: SignerSet, since: number): Partial<SignerSet> => ({
  persons: set.persons.map((person) =>
    person.id === bob.id
      ? {
          ...person,
          keys: person.keys.map((key) => ({
            ...key,
            ended: { is: 'compromised' as const, since, kept: [], running: 'finish' as const },
          })),
        }
      : person,
  ),
});
