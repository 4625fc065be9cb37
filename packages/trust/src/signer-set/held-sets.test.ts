import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PAYLOAD_TYPES } from '@writ/contract';
import type { SignerSet } from '@writ/contract';
import { seal } from '../envelope/seal.ts';
import { newId, newSeed, signerFromSeed } from '../keys.ts';
import type { Signer } from '../keys.ts';
import { makeWorld, NOW, random } from '../testing/world.ts';
import { TrustError } from '../trust-error.ts';
import { isFresh, judgeFreshness, makeFreshness } from './freshness.ts';
import { followSet, startSets, walkSets } from './follow-sets.ts';
import { clusterIdOf, firstSetDigestOf, heldSetAt, setRef } from './held-sets.ts';
import { ALL_GRANTS } from './make-set.ts';

const world = makeWorld();
const { sets, signer, person } = world;
const code = (expected: string) => (error: unknown) => error instanceof TrustError && error.code === expected;

function next(
  before: { set: SignerSet; digest: string },
  cluster: string,
  changes: object = {},
): Record<string, unknown> {
  const { nonce: _nonce, ...rest } = before.set as SignerSet & { nonce?: string };
  return {
    ...rest,
    cluster,
    version: before.set.version + 1,
    previous: before.digest,
    time: NOW + 1000,
    ...changes,
  };
}
const sealSet = (value: unknown, signers: readonly Signer[] = [signer]) =>
  seal(PAYLOAD_TYPES.signerSet, value, signers).envelope;
const bob = { id: newId(random), signer: signerFromSeed(newSeed(random)) };
const personEntry = (who: typeof bob, changes: object = {}) => ({
  id: who.id,
  name: 'bob',
  kind: 'person',
  keys: [
    {
      key: who.signer.key,
      name: 'pc',
      form: 'dsse',
      custody: 'own',
      until: null,
      order: null,
      ended: null,
      ...changes,
    },
  ],
  grants: ALL_GRANTS,
});
const withBob = (changes: object = {}, key: object = {}) =>
  next(sets.newest, sets.cluster, {
    persons: [...sets.newest.set.persons, personEntry(bob, key)],
    ...changes,
  });

describe('the first set', () => {
  test('its digest is the cluster id, and nothing else fits that id', () => {
    assert.equal(sets.cluster, clusterIdOf(world.first.digest));
    assert.equal(firstSetDigestOf(sets.cluster), world.first.digest);
    assert.equal(startSets(world.first.envelope, sets.cluster).cluster, sets.cluster);
    assert.throws(() => startSets(makeWorld().first.envelope, sets.cluster), code('set.cluster_other'));
  });
  test('it is signed by the person that it lists', () => {
    assert.throws(() => startSets(sealSet(sets.newest.set, [bob.signer])), code('set.signatures_short'));
    assert.throws(
      () => startSets(sealSet(sets.newest.set, [signer, bob.signer])),
      code('set.signature_unexpected'),
    );
  });
  test('a text that is no cluster id and a chain without a set are refused with a code', () => {
    for (const cluster of ['', 'abc', `${sets.cluster}a`])
      assert.throws(() => firstSetDigestOf(cluster), code('set.cluster_other'), cluster);
    assert.throws(() => walkSets([], sets.cluster), code('set.malformed'));
  });
  test('a chain begins with it', () => {
    assert.throws(() => startSets(sealSet(next(sets.newest, sets.cluster))), code('set.version_skipped'));
  });
});

describe('the next set', () => {
  test('is taken when it follows', () => {
    const held = followSet(sets, sealSet(withBob()));
    assert.equal(held.newest.set.version, 2);
    assert.equal(
      walkSets(
        held.chain.map((each) => each.envelope),
        sets.cluster,
      ).newest.digest,
      held.newest.digest,
    );
  });
  const refusals: Record<string, [() => ReturnType<typeof sealSet>, string]> = {
    'a version skipped': [() => sealSet(withBob({ version: 3 })), 'set.version_skipped'],
    'a jump to the last number': [
      () => sealSet(withBob({ version: Number.MAX_SAFE_INTEGER })),
      'set.version_skipped',
    ],
    'another predecessor': [
      () => sealSet(withBob({ previous: `sha256:${'0'.repeat(64)}` })),
      'set.previous_unknown',
    ],
    'another cluster': [() => sealSet(withBob({ cluster: makeWorld().sets.cluster })), 'set.cluster_other'],
    'a stranger alone': [() => sealSet(withBob(), [bob.signer]), 'set.signatures_short'],
    'a stranger as well': [
      () => sealSet(next(sets.newest, sets.cluster), [signer, bob.signer]),
      'set.signature_unexpected',
    ],
    'a newcomer who makes himself the changer': [
      () => sealSet(withBob({ changers: [bob.id] }), [bob.signer]),
      'set.signatures_short',
    ],
    'new changers who have not signed': [
      () => sealSet(withBob({ changers: [bob.id] })),
      'set.signatures_short',
    ],
    'a threshold that the signatures do not reach': [
      () => sealSet(withBob({ changers: [person, bob.id], threshold: 2 })),
      'set.signatures_short',
    ],
    'a threshold above the number of changers': [() => sealSet(withBob({ threshold: 2 })), 'set.malformed'],
    'a person twice': [
      () =>
        sealSet(
          next(sets.newest, sets.cluster, {
            persons: [...sets.newest.set.persons, ...sets.newest.set.persons],
          }),
        ),
      'set.malformed',
    ],
    'a key twice': [() => sealSet(withBob({}, { key: signer.key })), 'set.malformed'],
    'a changer who is no person': [
      () => sealSet(withBob({ changers: [person, newId(random)] })),
      'set.malformed',
    ],
    'a key of small order': [
      () => sealSet(withBob({}, { key: `ed25519:${Buffer.alloc(32).toString('base64url')}` })),
      'set.key_weak',
    ],
    'a recovery key of small order': [
      () => sealSet(withBob({ recovery: `ed25519:${Buffer.alloc(32).toString('base64url')}` })),
      'set.key_weak',
    ],
    'an unknown field': [() => sealSet(withBob({ extra: true })), 'envelope.payload_malformed'],
    'an unknown format': [() => sealSet(withBob({ format: 2 })), 'envelope.format_unknown'],
    'two rules for one queue': [
      () =>
        sealSet(
          withBob({
            queueRules: [
              { queue: 'a', persons: 1 },
              { queue: 'a', persons: 2 },
            ],
          }),
        ),
      'set.malformed',
    ],
    'an agent removed in two ways': [
      () =>
        sealSet(
          withBob({
            agentsRemoved: ['retired', 'compromised'].map((is) => ({
              identity: bob.signer.key,
              is,
              since: NOW,
            })),
          }),
        ),
      'set.malformed',
    ],
    'a recovery key that is a person’s': [
      () => sealSet(withBob({ recovery: bob.signer.key })),
      'set.malformed',
    ],
    'a touched key of small order': [
      () =>
        sealSet(withBob({}, { key: `sk-ed25519:${Buffer.alloc(32).toString('base64url')}`, form: 'sshsig' })),
      'set.key_weak',
    ],
  };
  for (const [title, [make, expected]] of Object.entries(refusals)) {
    test(`${title} is refused: ${expected}`, () => {
      assert.throws(() => followSet(sets, make()), code(expected));
    });
  }
  test('the version held, and an older one, are refused as rolled back', () => {
    const two = followSet(sets, sealSet(withBob()));
    assert.throws(() => followSet(two, two.newest.envelope), code('set.rolled_back'));
    assert.throws(() => followSet(two, sets.newest.envelope), code('set.rolled_back'));
  });
  test('another set of a version held is a fork, whoever of the changers signed it', () => {
    const two = followSet(sets, sealSet(withBob({ changers: [bob.id] }), [signer, bob.signer]));
    const sibling = sealSet(withBob({ time: NOW + 2000 }));
    assert.throws(() => followSet(two, sibling), code('set.fork'));
    const three = followSet(two, sealSet(next(two.newest, sets.cluster), [bob.signer]));
    assert.throws(() => followSet(three, sibling), code('set.fork'));
    assert.throws(
      () => followSet(three, sealSet(withBob({ time: NOW + 2000 }), [bob.signer])),
      code('set.signatures_short'),
    );
    assert.throws(() => followSet(two, makeWorld().first.envelope), code('set.cluster_other'));
  });
  test('the recovery key stays until it signs itself away', () => {
    const recovery = signerFromSeed(newSeed(random));
    const two = followSet(sets, sealSet(withBob({ recovery: recovery.key })));
    for (const other of [null, signerFromSeed(newSeed(random)).key]) {
      const three = next(two.newest, sets.cluster, { recovery: other });
      assert.throws(() => followSet(two, sealSet(three)), code('set.recovery_unsigned'));
      assert.equal(followSet(two, sealSet(three, [signer, recovery])).newest.set.version, 3);
    }
    const kept = next(two.newest, sets.cluster);
    assert.throws(() => followSet(two, sealSet(kept, [signer, recovery])), code('set.signature_unexpected'));
  });
  test('all of twenty changers can hand over to twenty others', () => {
    const people = Array.from({ length: 40 }, () => ({
      id: newId(random),
      signer: signerFromSeed(newSeed(random)),
    }));
    const [old, young] = [people.slice(0, 20), people.slice(20)];
    const persons = [
      ...sets.newest.set.persons,
      ...people.map((one, at) => ({ ...personEntry(one), name: `p${at}` })),
    ];
    const signers = (list: typeof people) => list.map((one) => one.signer);
    const ids = (list: typeof people) => list.map((one) => one.id);
    const two = followSet(
      sets,
      sealSet(withBob({ persons, changers: ids(old), threshold: 20 }), [signer, ...signers(old)]),
    );
    const three = next(two.newest, sets.cluster, { changers: ids(young) });
    assert.equal(followSet(two, sealSet(three, signers(people))).newest.set.version, 3);
    assert.throws(
      () => followSet(two, sealSet(three, signers(people.slice(1)))),
      code('set.signatures_short'),
    );
  });
  test('with a threshold of two, two devices of one person are one person', () => {
    const second = signerFromSeed(newSeed(random));
    const [ana] = sets.newest.set.persons;
    const two = followSet(
      sets,
      sealSet(
        withBob({
          persons: [
            { ...ana!, keys: [...ana!.keys, { ...ana!.keys[0]!, key: second.key }] },
            personEntry(bob),
          ],
          changers: [person, bob.id],
          threshold: 2,
        }),
        [signer, bob.signer],
      ),
    );
    const three = next(two.newest, sets.cluster);
    assert.throws(() => followSet(two, sealSet(three, [signer, second])), code('set.signatures_short'));
    assert.equal(followSet(two, sealSet(three, [second, bob.signer])).newest.set.version, 3);
  });
  for (const custody of ['browser', 'server']) {
    test(`a key in the custody of a ${custody} changes no set`, () => {
      const two = followSet(sets, sealSet(withBob({ changers: [person, bob.id] }, { custody })));
      assert.throws(
        () => followSet(two, sealSet(next(two.newest, sets.cluster), [bob.signer])),
        code('set.signatures_short'),
      );
    });
  }
  for (const key of [{ form: 'sshsig' }, { until: NOW }]) {
    test(`a key that is ${JSON.stringify(key)} changes no set by a plain signature after that, and marks none as fresh`, () => {
      const two = followSet(sets, sealSet(withBob({ changers: [person, bob.id] }, key)));
      assert.throws(
        () => followSet(two, sealSet(next(two.newest, sets.cluster), [bob.signer])),
        code('set.signatures_short'),
      );
      assert.throws(
        () =>
          judgeFreshness(makeFreshness(two, { person: bob.id, signer: bob.signer }, NOW + 1).envelope, two),
        code('set.mark_refused'),
      );
    });
  }
  test('a key that has expired changes no set by writing a time before that of the set that it follows', () => {
    const until = NOW + 1500;
    const two = followSet(
      sets,
      sealSet(withBob({ changers: [person, bob.id], time: NOW + 1200 }, { until })),
    );
    const three = followSet(two, sealSet(next(two.newest, sets.cluster, { time: NOW + 1600 })));
    for (const time of [until, NOW + 1599]) {
      const signers = time <= until ? [bob.signer] : [signer];
      const four = sealSet(next(three.newest, sets.cluster, { time }), signers);
      assert.throws(() => followSet(three, four), code('set.time_backwards'), String(time));
    }
    const same = sealSet(next(three.newest, sets.cluster, { time: NOW + 1600 }));
    assert.equal(followSet(three, same).newest.set.version, 4);
  });
  test('an ended key changes no set', () => {
    const two = followSet(
      sets,
      sealSet(withBob({ changers: [person, bob.id] }, { ended: { is: 'retired', since: NOW } })),
    );
    assert.throws(
      () => followSet(two, sealSet(next(two.newest, sets.cluster), [bob.signer])),
      code('set.signatures_short'),
    );
  });
});

describe('a reference to a set', () => {
  const two = followSet(sets, sealSet(withBob()));
  test('finds the version held', () =>
    assert.equal(heldSetAt(two, setRef(sets.newest)).digest, sets.newest.digest));
  test('to a newer version says that it is unknown', () =>
    assert.throws(() => heldSetAt(sets, setRef(two.newest)), code('order.set_unknown')));
  test('to another set of a version held is a fork', () => {
    const other = followSet(sets, sealSet(withBob({ time: NOW + 2000 })));
    assert.throws(() => heldSetAt(two, setRef(other.newest)), code('order.set_fork'));
  });
});

describe('freshness', () => {
  const days = 86_400_000;
  test('a mark is of this cluster', () => {
    const elsewhere = { ...sets, cluster: makeWorld().sets.cluster };
    const mark = makeFreshness(elsewhere, { person, signer }, NOW).envelope;
    assert.throws(() => judgeFreshness(mark, sets), code('set.cluster_other'));
  });
  test('a changer says that a set is fresh; nobody else can', () => {
    assert.equal(
      judgeFreshness(makeFreshness(sets, { person, signer }, NOW + days).envelope, sets).time,
      NOW + days,
    );
    assert.throws(
      () => judgeFreshness(makeFreshness(sets, { person, signer: bob.signer }, NOW).envelope, sets),
      code('envelope.key_unknown'),
    );
    const two = followSet(sets, sealSet(withBob()));
    assert.throws(
      () => judgeFreshness(makeFreshness(two, { person: bob.id, signer: bob.signer }, NOW).envelope, two),
      code('set.mark_refused'),
    );
  });
  test('a set without a word of a changer goes stale after its time, and not before', () => {
    assert.ok(isFresh(sets, 0, NOW + 30 * days));
    assert.ok(!isFresh(sets, 0, NOW + 30 * days + 1));
    assert.ok(isFresh(sets, NOW + days, NOW + 31 * days));
  });
  test('a set from the future is no word before its time', () => {
    const two = followSet(sets, sealSet(withBob({ time: NOW + 9999 * days })));
    assert.ok(isFresh(two, NOW, NOW + 30 * days));
    assert.ok(!isFresh(two, NOW, NOW + 31 * days));
  });
});
