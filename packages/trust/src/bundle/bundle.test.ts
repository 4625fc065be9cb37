import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Bundle, ReceiptPredicate } from '@writ/contract';
import { PAYLOAD_TYPES } from '@writ/contract';
import { seal } from '../envelope/seal.ts';
import { newSeed, signerFromSeed } from '../keys.ts';
import { signOrder } from '../order/open-order.ts';
import { checkReceiptFits, makeReceived, makeReceipt, openReceipt } from '../receipt/receipt.ts';
import { followSet, setRef } from '../signer-set/held-sets.ts';
import { makeAgent, makeOrder, makeWorld, NOW, random } from '../testing/world.ts';
import { TrustError } from '../trust-error.ts';
import { verifyBundle } from './verify-bundle.ts';

const world = makeWorld();
const { sets, signer, person, identity, admitted } = world;
const order = makeOrder(world, { array: { is: 'range', from: 1, to: 2 } });
const signed = signOrder(order, signer);
const code = (expected: string) => (error: unknown) => error instanceof TrustError && error.code === expected;
const EMPTY = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

const predicate = (changes: Partial<ReceiptPredicate> = {}): ReceiptPredicate => ({
  format: 1,
  cluster: sets.cluster,
  kind: 'ended',
  identity: identity.key,
  admission: admitted.digest,
  person,
  order: signed.digest,
  job: order.job,
  index: 1,
  attempt: 1,
  token: { epoch: 1, n: 1 },
  set: setRef(sets.newest),
  adopts: null,
  because: 'exit',
  detail: '',
  exit: { code: 0 },
  variant: 0,
  profile: 'strict',
  started: NOW + 10,
  ended: NOW + 20,
  outputs: [{ path: 'result/a.txt', mode: 'file', digest: EMPTY, size: 0 }],
  stdout: { digest: EMPTY, size: 0 },
  stderr: { digest: EMPTY, size: 0 },
  resources: { wallMs: 10, cpuMs: 1, memoryPeakBytes: null },
  seq: 1,
  previous: null,
  auditHead: null,
  ...changes,
});
const receipt = makeReceipt(predicate(), identity);
const bundle = (changes: Partial<Bundle> = {}): Bundle => ({
  bundle: 1,
  cluster: sets.cluster,
  order: signed.envelope,
  definition: null,
  sets: sets.chain.map((held) => held.envelope),
  admissions: [{ admission: world.admissionEnvelope, invite: world.invite.envelope }],
  receipts: [{ receipt: receipt.envelope, received: null }],
  ...changes,
});

test('a true bundle verifies from the cluster id alone', () => {
  const verified = verifyBundle(bundle(), [sets.cluster]);
  assert.ok(verified.isAnchored);
  assert.equal(verified.receipts[0]!.agent.name, 'lab-02');
  assert.equal(verified.order.person.name, 'ana');
});

test('a bundle made wholly by somebody else is consistent, and not anchored here', () => {
  assert.equal(verifyBundle(bundle(), [makeWorld().sets.cluster]).isAnchored, false);
  assert.equal(verifyBundle(bundle(), []).isAnchored, false);
});

test('a bundle that claims a known cluster id with sets of its own is refused', () => {
  const other = makeWorld();
  assert.throws(
    () => verifyBundle(bundle({ sets: [other.first.envelope] }), [sets.cluster]),
    code('set.cluster_other'),
  );
});

test('a receipt of an agent that only the authority knows is refused', () => {
  const fake = signerFromSeed(newSeed(random));
  const forged = makeReceipt(predicate({ identity: fake.key }), fake);
  assert.throws(
    () => verifyBundle(bundle({ receipts: [{ receipt: forged.envelope, received: null }] }), [sets.cluster]),
    code('envelope.key_unknown'),
  );
  const claimed = makeReceipt(predicate(), fake);
  assert.throws(
    () => verifyBundle(bundle({ receipts: [{ receipt: claimed.envelope, received: null }] }), [sets.cluster]),
    TrustError,
  );
  assert.throws(
    () => verifyBundle(bundle({ admissions: [] }), [sets.cluster]),
    code('verify.admission_missing'),
  );
});

describe('a receipt that does not fit is refused', () => {
  const fits = (changes: Partial<ReceiptPredicate>) =>
    checkReceiptFits(
      openReceipt(makeReceipt(predicate(changes), identity).envelope, sets.cluster, admitted),
      { order, digest: signed.digest },
    );
  fits({});
  const cases: Partial<ReceiptPredicate>[] = [
    { order: EMPTY },
    { job: 'aaaaaaaaaaaaaaaaaaaaaaaaaa' },
    { person: 'aaaaaaaaaaaaaaaaaaaaaaaaaa' },
    { index: 3 },
    { attempt: 4 },
    { profile: 'bare' },
    { started: order.notAfter + 1 },
  ];
  for (const changes of cases)
    test(JSON.stringify(changes), () => assert.throws(() => fits(changes), code('receipt.order_mismatch')));
  test('by its cluster or admission', () => {
    assert.throws(() => fits({ cluster: makeWorld().sets.cluster }), code('receipt.cluster_other'));
    assert.throws(() => fits({ admission: EMPTY }), code('receipt.admission_other'));
  });
  test('by its subjects', () => {
    const value = JSON.parse(Buffer.from(receipt.envelope.payload, 'base64').toString());
    const swapped = {
      ...value,
      subject: [
        value.subject[0],
        value.subject[1],
        { ...value.subject[2], digest: { sha256: '0'.repeat(64) } },
      ],
    };
    assert.throws(
      () => openReceipt(seal(PAYLOAD_TYPES.receipt, swapped, [identity]).envelope, sets.cluster, admitted),
      code('receipt.subject_wrong'),
    );
    const without = { ...value, subject: value.subject.slice(0, 2) };
    assert.throws(
      () => openReceipt(seal(PAYLOAD_TYPES.receipt, without, [identity]).envelope, sets.cluster, admitted),
      code('receipt.subject_wrong'),
    );
  });
  test('by another agent of the same cluster', () => {
    const other = makeAgent(world, 'lab-03');
    const theirs = makeReceipt(
      predicate({ identity: other.identity.key, admission: other.admitted.digest }),
      other.identity,
    );
    assert.throws(() => openReceipt(theirs.envelope, sets.cluster, admitted), code('envelope.key_unknown'));
  });
});

test('receipts of an order that names another agent are refused', () => {
  const named = makeOrder(world, {
    machine: { ...order.machine, agents: [makeAgent(world, 'lab-03').identity.key] },
  });
  const sealed = signOrder(named, signer);
  const wrong = makeReceipt(predicate({ order: sealed.digest, job: named.job, index: 0 }), identity);
  assert.throws(
    () =>
      verifyBundle(
        bundle({ order: sealed.envelope, receipts: [{ receipt: wrong.envelope, received: null }] }),
        [sets.cluster],
      ),
    code('receipt.order_mismatch'),
  );
});

describe('later knowledge', () => {
  const change = (changes: object) => {
    const { nonce: _nonce, ...rest } = sets.newest.set as typeof sets.newest.set & { nonce?: string };
    const bob = signerFromSeed(newSeed(random));
    const [ana] = sets.newest.set.persons;
    const carla = {
      ...ana!,
      id: 'caaaaaaaaaaaaaaaaaaaaaaaaa',
      name: 'carla',
      keys: [{ ...ana!.keys[0]!, key: bob.key }],
    };
    const value = {
      ...rest,
      cluster: sets.cluster,
      version: 2,
      previous: sets.newest.digest,
      persons: [ana, carla],
      changers: [carla.id],
      ...changes,
    };
    return followSet(sets, seal(PAYLOAD_TYPES.signerSet, value, [signer, bob]).envelope).chain.map(
      (held) => held.envelope,
    );
  };
  const [ana] = sets.newest.set.persons;
  const withAna = (ended: object | null) => {
    const bob = signerFromSeed(newSeed(random));
    const carla = {
      ...ana!,
      id: 'caaaaaaaaaaaaaaaaaaaaaaaaa',
      name: 'carla',
      keys: [{ ...ana!.keys[0]!, key: bob.key }],
    };
    const { nonce: _nonce, ...rest } = sets.newest.set as typeof sets.newest.set & { nonce?: string };
    const value = {
      ...rest,
      cluster: sets.cluster,
      version: 2,
      previous: sets.newest.digest,
      persons: [{ ...ana!, keys: [{ ...ana!.keys[0]!, ended }] }, carla],
      changers: [carla.id],
    };
    return followSet(sets, seal(PAYLOAD_TYPES.signerSet, value, [signer, bob]).envelope).chain.map(
      (held) => held.envelope,
    );
  };
  test('an agent removed as compromised proves nothing any more, a retired one what it did before', () => {
    assert.throws(
      () =>
        verifyBundle(
          bundle({
            sets: change({ agentsRemoved: [{ identity: identity.key, is: 'compromised', since: NOW }] }),
          }),
          [sets.cluster],
        ),
      code('admission.removed'),
    );
    assert.throws(
      () =>
        verifyBundle(
          bundle({
            sets: change({ agentsRemoved: [{ identity: identity.key, is: 'retired', since: NOW }] }),
          }),
          [sets.cluster],
        ),
      code('verify.agent_retired'),
    );
    verifyBundle(
      bundle({
        sets: change({ agentsRemoved: [{ identity: identity.key, is: 'retired', since: NOW + 100 }] }),
      }),
      [sets.cluster],
    );
  });
  test('a signer key that is compromised voids its orders and its admissions, a retired one does not', () => {
    assert.throws(
      () =>
        verifyBundle(bundle({ sets: withAna({ is: 'compromised', since: NOW + 1, kept: [] }) }), [
          sets.cluster,
        ]),
      code('invite.key_compromised'),
    );
    verifyBundle(bundle({ sets: withAna({ is: 'retired', since: NOW + 1 }) }), [sets.cluster]);
  });
});

test('a countersignature counts for the receipt that it names', () => {
  const received = makeReceived(
    { cluster: sets.cluster, receipt: receipt.digest, set: setRef(sets.newest), person, now: NOW },
    signer,
  );
  assert.ok(
    verifyBundle(bundle({ receipts: [{ receipt: receipt.envelope, received: received.envelope }] }), [
      sets.cluster,
    ]).receipts[0]!.isCountersigned,
  );
  const other = makeReceived(
    { cluster: sets.cluster, receipt: EMPTY, set: setRef(sets.newest), person, now: NOW },
    signer,
  );
  assert.throws(
    () =>
      verifyBundle(bundle({ receipts: [{ receipt: receipt.envelope, received: other.envelope }] }), [
        sets.cluster,
      ]),
    code('received.refused'),
  );
});

test('whatever is not a bundle is refused with words', () => {
  for (const value of [null, 1, {}, { ...bundle(), extra: 1 }, { ...bundle(), bundle: 2 }])
    assert.throws(() => verifyBundle(value, []), code('verify.malformed'));
});
