import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Envelope } from '@writ/contract';
import { newId, newSeed, signerFromSeed } from '../keys.ts';
import type { Signer } from '../keys.ts';
import { judgeAdmission } from '../admission/admission.ts';
import { openOrder, signOrder } from '../order/open-order.ts';
import { makeOrder, makeWorld, NOW, random } from '../testing/world.ts';
import { TrustError } from '../trust-error.ts';
import {
  addKey,
  addPerson,
  endKeys,
  endOwnKey,
  nextRecoverySet,
  nextSet,
  removeAgent,
  revokeInvite,
  setChangers,
  setFreshness,
  setGrants,
  setRecovery,
  signSet,
} from './change-set.ts';
import type { KeyEnd, SetChange } from './change-set.ts';
import { allSets, followSet, gatherSets, meetSet, walkSets } from './follow-sets.ts';
import { anySetAt, findRemoval, heldSetAt, setRef } from './held-sets.ts';
import type { HeldSets } from './held-sets.ts';
import { ALL_GRANTS } from './make-set.ts';

const world = makeWorld();
const code = (expected: string) => (error: unknown) => error instanceof TrustError && error.code === expected;
const LATER = NOW + 60_000;

interface Somebody {
  readonly id: string;
  readonly name: string;
  readonly signer: Signer;
}
const somebody = (name: string): Somebody => ({
  id: newId(random),
  name,
  signer: signerFromSeed(newSeed(random)),
});
const ana: Somebody = { id: world.person, name: 'ana', signer: world.signer };
const bob = somebody('bob');
const carl = somebody('carl');
const keyOf = (signer: Signer, name = 'pc') =>
  ({ key: signer.key, name, form: 'dsse', custody: 'own', until: null, order: null, ended: null }) as const;
const add = ({ id, name, signer }: Somebody): SetChange =>
  addPerson({ id, name, kind: 'person', keys: [keyOf(signer)], grants: ALL_GRANTS });
const compromised: KeyEnd = {
  is: 'compromised',
  since: LATER,
  kept: [],
  running: 'stop',
};
const retired: KeyEnd = { is: 'retired', since: LATER };

const change = (sets: HeldSets, signers: readonly Somebody[], ...by: SetChange[]): Envelope =>
  signSet(
    nextSet(sets, LATER, ...by),
    signers.map(({ signer }) => signer),
  ).envelope;
const follow = (sets: HeldSets, signers: readonly Somebody[], ...by: SetChange[]): HeldSets =>
  followSet(sets, change(sets, signers, ...by));

/** Ana and Bob may both change the set, alone. */
const both = follow(world.sets, [ana, bob], add(bob), setChangers([ana.id, bob.id], 1));
/** Both are needed. */
const two = follow(world.sets, [ana, bob], add(bob), setChangers([ana.id, bob.id], 2));

describe('changes', () => {
  test('name and key stand for one person for ever', () => {
    assert.throws(() => nextSet(both, LATER, add({ ...somebody('bob') })), code('signer.name_taken'));
    assert.throws(
      () => nextSet(both, LATER, add({ ...somebody('dora'), signer: bob.signer })),
      code('signer.key_known'),
    );
    assert.throws(() => nextSet(both, LATER, addKey(ana.id, keyOf(bob.signer))), code('signer.key_known'));
    const gone = follow(both, [ana], endKeys(bob.id, retired));
    assert.throws(() => nextSet(gone, LATER, add({ ...somebody('bob') })), code('signer.name_taken'));
  });
  test('a person who is not there, a key that has ended, and a threshold that nobody reaches are refused', () => {
    assert.throws(() => nextSet(both, LATER, endKeys(newId(random), retired)), code('signer.unknown'));
    assert.throws(() => nextSet(both, LATER, setGrants(newId(random), ALL_GRANTS)), code('signer.unknown'));
    assert.throws(() => nextSet(both, LATER, setChangers([carl.id], 1)), code('signer.unknown'));
    assert.throws(() => nextSet(both, LATER, setChangers([ana.id], 2)), code('signer.threshold'));
    assert.throws(
      () => nextSet(both, LATER, endKeys(bob.id, retired, [ana.signer.key])),
      code('signer.unknown'),
    );
    assert.throws(() => nextSet(two, LATER, endKeys(bob.id, retired)), code('signer.last_changer'));
    assert.throws(() => nextSet(world.sets, LATER, endKeys(ana.id, retired)), code('signer.last_changer'));
  });
  test('a second device, another threshold, another time of freshness, an agent and an invite less: all follow', () => {
    const laptop = somebody('laptop');
    const sets = follow(
      both,
      [ana],
      addKey(ana.id, keyOf(laptop.signer, 'laptop')),
      setFreshness(86_400),
      removeAgent({ identity: world.identity.key, is: 'compromised', since: LATER }),
      revokeInvite(world.invite.digest),
    );
    assert.equal(sets.current.freshnessSeconds, 86_400);
    assert.deepEqual(findRemoval(sets, world.identity.key)?.is, 'compromised');
    assert.throws(
      () => judgeAdmission(world.admissionEnvelope, world.invite.envelope, sets),
      code('invite.revoked'),
    );
    assert.equal(
      follow(sets, [{ ...ana, signer: laptop.signer }], endKeys(bob.id, retired)).current.changers.length,
      1,
    );
  });
  test('a key that is compromised does not become a retired one', () => {
    const gone = follow(both, [ana], endKeys(bob.id, compromised));
    assert.throws(() => nextSet(gone, LATER, endKeys(bob.id, retired)), code('signer.unknown'));
  });
});

describe('where two persons are needed', () => {
  test('one alone changes nothing, raises or lowers nothing', () => {
    for (const by of [
      add(carl),
      setChangers([ana.id], 1),
      setFreshness(60),
      endKeys(ana.id, retired, []),
    ].slice(0, 3))
      assert.throws(() => follow(two, [ana], by), code('set.signatures_short'));
    assert.throws(() => follow(both, [ana], setChangers([ana.id, bob.id], 2)), code('set.signatures_short'));
    assert.equal(follow(two, [ana, bob], setChangers([ana.id], 1)).current.threshold, 1);
  });
  test('a person ends a key of their own alone, and nothing else with it', () => {
    const own = endOwnKey(bob.id, bob.signer.key, compromised);
    const after = follow(two, [bob], own);
    assert.equal(after.current.persons[1]?.keys[0]?.ended?.is, 'compromised');
    assert.throws(() => follow(two, [ana], own), code('set.signatures_short'));
    const more: SetChange[] = [
      setFreshness(60),
      add(carl),
      endOwnKey(ana.id, ana.signer.key, retired),
      setGrants(bob.id, { ...ALL_GRANTS, touch: true }),
      addKey(bob.id, keyOf(carl.signer)),
      (content) => ({ ...content, authorities: ['MAAB'] }),
    ];
    for (const [at, by] of more.entries())
      assert.throws(() => follow(two, [bob], own, by), code('set.signatures_short'), String(at));
    // Ended is ended: it does not sign itself back.
    assert.throws(
      () => follow(after, [bob], (content) => ({ ...content, persons: two.current.persons })),
      code('set.signatures_short'),
    );
  });
  test('a key that has ended is not brought back by another one of the same person', () => {
    const second = somebody('second');
    const sets = follow(two, [ana, bob], addKey(bob.id, keyOf(second.signer, 'phone')));
    const ended = follow(sets, [bob], endOwnKey(bob.id, bob.signer.key, retired));
    const back = { ...bob, signer: second.signer };
    assert.throws(
      () => follow(ended, [back], (content) => ({ ...content, persons: sets.current.persons })),
      code('set.signatures_short'),
    );
  });
  test('whoever may not change the set ends a key of theirs all the same', () => {
    const sets = follow(world.sets, [ana], add(bob));
    assert.equal(
      follow(sets, [bob], endOwnKey(bob.id, bob.signer.key, retired)).current.persons[1]?.keys[0]?.ended?.is,
      'retired',
    );
  });
});

describe('two sets of one version', () => {
  const mine = change(both, [ana], endKeys(bob.id, compromised));
  const theirs = change(
    both,
    [bob],
    endKeys(ana.id, compromised),
    removeAgent({
      identity: world.identity.key,
      is: 'compromised',
      since: LATER,
    }),
  );
  const held = followSet(both, mine);

  test('whoever holds one keeps it, and keeps the other as proof', () => {
    const met = meetSet(held, theirs);
    assert.equal(met.is, 'rival');
    assert.equal(met.sets.newest.digest, held.newest.digest);
    assert.deepEqual(
      met.sets.rivals.map(({ envelope }) => envelope),
      [theirs],
    );
    assert.equal(meetSet(met.sets, theirs).is, 'known');
    assert.throws(() => followSet(held, theirs), code('set.fork'));
    assert.throws(() => walkSets([...allSets(held), theirs], both.cluster), code('set.fork'));
    assert.deepEqual(gatherSets(allSets(met.sets), both.cluster), met.sets);
  });
  test('what either removes is removed', () => {
    const { sets } = meetSet(held, theirs);
    for (const who of [ana, bob]) {
      const order = makeOrder({ sets, person: who.id, signer: who.signer });
      assert.throws(
        () => openOrder(signOrder(order, who.signer).envelope, sets),
        code('order.key_compromised'),
      );
    }
    // Nobody is left who could say that it is fresh.
    assert.deepEqual(sets.current.changers, []);
  });
  test('an agent that either removes is removed, an invite that either revokes is revoked', () => {
    const identity = world.identity.key;
    const judge = (sets: HeldSets) =>
      judgeAdmission(world.admissionEnvelope, world.invite.envelope, sets).identity;
    const less = followSet(both, change(both, [ana], setFreshness(60)));
    assert.equal(judge(meetSet(less, change(both, [bob], add(carl))).sets), identity);
    const removed = change(both, [bob], removeAgent({ identity, is: 'compromised', since: LATER }));
    assert.throws(() => judge(meetSet(less, removed).sets), code('admission.removed'));
    const revoked = change(both, [bob], revokeInvite(world.invite.digest));
    assert.throws(() => judge(meetSet(less, revoked).sets), code('invite.revoked'));
  });
  test('a key that one of them leaves out is ended, one that the other adds is not', () => {
    const mineAdds = followSet(both, change(both, [ana], add(carl)));
    const dropped = change(both, [bob], (content) => ({
      ...content,
      persons: content.persons.filter(({ id }) => id !== ana.id),
      changers: [bob.id],
    }));
    const { current } = meetSet(mineAdds, dropped).sets;
    const ended = current.persons.map(({ name, keys }) => [name, keys[0]?.ended?.is ?? null]);
    assert.deepEqual(ended, [
      ['ana', 'retired'],
      ['bob', null],
      ['carl', null],
    ]);
  });
  test('what only the rival adds does not count', () => {
    const { sets } = meetSet(held, change(both, [bob], add(carl)));
    const order = makeOrder({ sets, person: carl.id, signer: carl.signer });
    assert.throws(
      () => openOrder(signOrder(order, carl.signer).envelope, sets),
      code('order.signer_unknown'),
    );
  });
  test('a later version that says the other has lost is taken on both branches', () => {
    const sawBoth = meetSet(held, theirs).sets;
    const settling = change(sawBoth, [ana], add(carl));
    const healed = followSet(sawBoth, settling);
    assert.deepEqual(healed.rivals, []);
    assert.equal(findRemoval(healed, world.identity.key), undefined);
    const other = followSet(both, theirs);
    // Not before it is longer.
    const seen = meetSet(other, mine).sets;
    assert.equal(seen.newest.digest, other.newest.digest);
    const joined = meetSet(seen, settling);
    assert.equal(joined.is, 'followed');
    assert.equal(joined.sets.newest.digest, healed.newest.digest);
    assert.deepEqual(joined.sets.rivals, []);
    assert.deepEqual(walkSets(allSets(joined.sets), both.cluster), joined.sets);
    // What was decided under the one that has lost can still be judged; what is ordered from now on names the other.
    const lost = setRef(other.newest);
    assert.equal(anySetAt(joined.sets, lost).digest, lost.digest);
    assert.throws(() => heldSetAt(joined.sets, lost), code('order.set_fork'));
    assert.throws(() => anySetAt(joined.sets, { ...lost, digest: both.cluster }), code('order.set_fork'));
    // And not back again.
    assert.equal(meetSet(joined.sets, theirs).is, 'known');
  });
  test('whoever holds more than the branch that has won goes over when that is longer, and not before', () => {
    const settling = change(meetSet(held, theirs).sets, [ana], setFreshness(60));
    const longer = follow(followSet(both, theirs), [bob], setFreshness(61));
    const seen = meetSet(meetSet(longer, mine).sets, settling);
    assert.equal(seen.is, 'rival');
    assert.equal(seen.sets.newest.digest, longer.newest.digest);
    const won = followSet(meetSet(held, theirs).sets, settling);
    const next = change(won, [ana], setFreshness(62));
    assert.equal(meetSet(seen.sets, next).sets.current.freshnessSeconds, 62);
  });
  test('without the word of enough of those who could change the last common set, it settles nothing', () => {
    const one = change(two, [ana, bob], setChangers([ana.id], 1));
    const another = change(two, [ana, bob], setChangers([bob.id], 1), add(carl));
    const sawBoth = meetSet(followSet(two, one), another).sets;
    const alone = change(sawBoth, [ana], setFreshness(60));
    assert.throws(() => followSet(sawBoth, alone), code('set.signatures_short'));
    // Whoever has not seen the other yet takes it, and is not told that the fork is over when it comes.
    const unaware = followSet(followSet(two, one), alone);
    assert.equal(meetSet(unaware, another).sets.rivals.length, 1);
    assert.equal(followSet(sawBoth, change(sawBoth, [ana, bob], setFreshness(60))).rivals.length, 0);
  });
  test('a branch that does not say so is not taken, however long it is', () => {
    let branch = followSet(both, theirs);
    const envelopes = [theirs];
    for (let at = 0; at < 3; at += 1) {
      envelopes.push(change(branch, [bob], setFreshness(100 + at)));
      branch = followSet(branch, envelopes.at(-1)!);
    }
    const after = envelopes.reduce((sets, envelope) => meetSet(sets, envelope).sets, held);
    assert.equal(after.newest.digest, held.newest.digest);
    assert.equal(after.rivals.length, 4);
  });
  test('a changer who signs without end fills nobody’s memory', () => {
    let sets = held;
    assert.throws(() => {
      for (let at = 0; at < 100; at += 1)
        sets = meetSet(sets, change(both, [bob], setFreshness(100 + at))).sets;
    }, code('set.fork'));
    assert.equal(sets.beside.length, 64);
  });
});

describe('the recovery key', () => {
  const paper = somebody('paper');
  const kept = follow(both, [ana], setRecovery(paper.signer.key));
  /** Bob's key is stolen: the thief strikes out Ana and the agent, and goes on. */
  const thief = ((): HeldSets => {
    let sets = follow(kept, [bob], endKeys(ana.id, compromised));
    sets = follow(
      sets,
      [bob],
      removeAgent({ identity: world.identity.key, is: 'compromised', since: LATER }),
    );
    return follow(sets, [bob], setFreshness(366 * 86_400));
  })();
  const newAna = somebody('ana-again');
  const rescue = (known: HeldSets, from = kept): Envelope => {
    const set = nextRecoverySet(
      known,
      LATER,
      from.newest,
      add(newAna),
      endKeys(bob.id, compromised),
      setChangers([newAna.id], 1),
    );
    return signSet(set, [paper.signer]).envelope;
  };

  test('replaces the changers, whatever a thief has signed before, on whatever branch', () => {
    const envelope = rescue(thief);
    for (const [name, sets] of Object.entries({
      kept,
      thief,
      'one step of the thief': gatherSets(allSets(thief).slice(0, -2), thief.cluster),
    })) {
      const met = meetSet(sets, envelope);
      assert.equal(met.is, 'followed', name);
      assert.deepEqual(met.sets.current.changers, [newAna.id], name);
      assert.deepEqual(met.sets.rivals, [], name);
      // What the thief removed is back: those versions are of no line any more.
      assert.equal(findRemoval(met.sets, world.identity.key), undefined, name);
      assert.deepEqual(walkSets(allSets(met.sets), kept.cluster), met.sets, name);
    }
    assert.equal(
      followSet(followSet(thief, envelope), change(followSet(thief, envelope), [newAna], setFreshness(60)))
        .newest.set.version,
      8,
    );
  });
  test('settles what lies beside the line, whoever signed that, and nothing of a later version', () => {
    const rival = change(kept, [ana], add(carl));
    const seen = meetSet(thief, rival).sets;
    assert.equal(seen.rivals.length, 1);
    assert.deepEqual(meetSet(seen, rescue(seen)).sets.rivals, []);
    const rescued = followSet(kept, rescue(kept));
    const later = change(rescued, [newAna], setFreshness(60));
    const other = change(rescued, [newAna], setFreshness(61));
    assert.equal(meetSet(followSet(rescued, later), other).sets.rivals.length, 1);
  });
  test('is not struck out by whoever steals a changer’s key', () => {
    assert.throws(() => follow(kept, [bob], setRecovery(null)), code('set.recovery_unsigned'));
    assert.throws(() => follow(kept, [bob], setRecovery(bob.signer.key)), code('set.malformed'));
  });
  test('does nothing else: no authority, no freshness, no removal of an agent', () => {
    const others: SetChange[] = [
      setFreshness(60),
      removeAgent({ identity: world.identity.key, is: 'retired', since: LATER }),
      revokeInvite(world.invite.digest),
      (content) => ({ ...content, authorities: ['MAAB'] }),
    ];
    for (const by of others) {
      const { envelope } = signSet(
        nextRecoverySet(kept, LATER, kept.newest, add(newAna), setChangers([newAna.id], 1), by),
        [paper.signer],
      );
      assert.throws(() => meetSet(kept, envelope), code('set.recovery_limits'));
    }
  });
  test('a version that is not higher, another recovery key, a stranger beside it: refused', () => {
    const set = nextRecoverySet(kept, LATER, kept.newest, add(newAna), setChangers([newAna.id], 1));
    assert.throws(() => meetSet(thief, signSet(set, [paper.signer]).envelope), code('set.signatures_short'));
    assert.throws(() => meetSet(kept, signSet(set, [carl.signer]).envelope), code('set.signatures_short'));
    assert.throws(
      () => meetSet(kept, signSet(set, [paper.signer, carl.signer]).envelope),
      code('set.signature_unexpected'),
    );
    const order = makeOrder({ sets: kept, person: ana.id, signer: paper.signer });
    assert.throws(
      () => openOrder(signOrder(order, paper.signer).envelope, kept),
      code('order.signer_unknown'),
    );
  });
});
