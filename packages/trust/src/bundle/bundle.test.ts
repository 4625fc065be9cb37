import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Bundle, ReceiptPredicate } from '@writ/contract';
import { PAYLOAD_TYPES } from '@writ/contract';
import { seal } from '../envelope/seal.ts';
import { makeAdmission } from '../admission/admission.ts';
import { newSeed, signerFromSeed } from '../keys.ts';
import { signOrder } from '../order/open-order.ts';
import {
  checkReceiptFits,
  hasSucceeded,
  judgeReceived,
  makeReceived,
  makeReceipt,
  openReceipt,
} from '../receipt/receipt.ts';
import { followSet } from '../signer-set/follow-sets.ts';
import { setRef } from '../signer-set/held-sets.ts';
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
    { started: order.notAfter + 300_001 },
    { variant: 1 },
  ];
  for (const changes of cases)
    test(JSON.stringify(changes), () => assert.throws(() => fits(changes), code('receipt.order_mismatch')));
  test('by its cluster or admission', () => {
    assert.throws(() => fits({ cluster: makeWorld().sets.cluster }), code('receipt.cluster_other'));
    assert.throws(() => fits({ admission: EMPTY }), code('receipt.admission_other'));
    assert.throws(() => fits({ identity: signer.key }), code('receipt.signer_wrong'));
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

describe('a receipt says one thing', () => {
  const none = { exit: null, started: null, variant: null, profile: null, outputs: [] };
  const read = (changes: Partial<ReceiptPredicate>, about = { order, digest: signed.digest }) =>
    checkReceiptFits(
      openReceipt(makeReceipt(predicate(changes), identity).envelope, sets.cluster, admitted),
      about,
    );
  read({ kind: 'refused', because: 'order.withdrawn', ...none });
  read({ kind: 'adopted', adopts: EMPTY });
  read({ because: 'sandbox', exit: null, started: null });
  const cases: Partial<ReceiptPredicate>[] = [
    { kind: 'refused' },
    { kind: 'refused', because: 'order.withdrawn' },
    { kind: 'refused', because: 'order.withdrawn', ...none, exit: { code: 0 } },
    { kind: 'refused', because: 'exit', ...none },
    { kind: 'adopted' },
    { kind: 'adopted', adopts: EMPTY, exit: { code: 1 } },
    { kind: 'adopted', adopts: EMPTY, profile: null },
    { adopts: EMPTY },
    { because: 'order.withdrawn' },
    { exit: null },
    { exit: { signal: 'SIGKILL' } },
    { started: null },
  ];
  for (const changes of cases)
    test(JSON.stringify(changes), () => assert.throws(() => read(changes), code('receipt.inconsistent')));
  test('a refusal is no success, whatever exit code it shows', () => {
    assert.ok(hasSucceeded(predicate()));
    assert.ok(!hasSucceeded(predicate({ kind: 'refused' })));
  });
  test('an agent that the order excludes cannot adopt a result that it has not', () => {
    const machine = (changes: Partial<typeof order.machine>) => {
      const other = makeOrder(world, { machine: { ...order.machine, ...changes } });
      const { digest } = signOrder(other, signer);
      const about = { order: digest, job: other.job, index: 0 };
      for (const kind of [{}, { kind: 'adopted', adopts: EMPTY } as const])
        assert.throws(
          () => read({ ...about, ...kind }, { order: other, digest }),
          code('receipt.order_mismatch'),
        );
    };
    machine({ excluded: [identity.key] });
    machine({ agents: [signer.key] });
    machine({ labels: [{ name: 'prod', value: null }] });
    machine({ notAdmitted: ['invite'] });
  });
});

test('one invite that admitted two agents is an alarm, and so are two receipts with one number', () => {
  const twin = signerFromSeed(newSeed(random));
  const second = makeAdmission({ ...world.admission, identity: twin.key, name: 'x' }, world.inviteKey, twin);
  const invite = world.invite.envelope;
  const admissions = [...bundle().admissions, { admission: second.envelope, invite }];
  assert.throws(() => verifyBundle(bundle({ admissions }), []), code('verify.invite_used_twice'));
  verifyBundle(bundle({ admissions: [...bundle().admissions, ...bundle().admissions] }), []);
  const other = makeReceipt(predicate({ index: 2 }), identity);
  const receipts = [receipt, other].map(({ envelope }) => ({ receipt: envelope, received: null }));
  assert.throws(() => verifyBundle(bundle({ receipts }), []), code('verify.agent_copied'));
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
        verifyBundle(
          bundle({ sets: withAna({ is: 'compromised', since: NOW + 1, kept: [], running: 'stop' }) }),
          [sets.cluster],
        ),
      code('invite.key_compromised'),
    );
    verifyBundle(bundle({ sets: withAna({ is: 'retired', since: NOW + 1 }) }), [sets.cluster]);
  });
});

describe('what signer sets once said', () => {
  const [ana] = sets.newest.set.persons;
  const thief = signerFromSeed(newSeed(random));
  const bob = {
    ...ana!,
    id: 'baaaaaaaaaaaaaaaaaaaaaaaaa',
    name: 'bob',
    keys: [{ ...ana!.keys[0]!, key: thief.key }],
  };
  const follow = (held: typeof sets, changes: object) => {
    const { nonce: _nonce, ...rest } = held.newest.set as typeof held.newest.set & { nonce?: string };
    const value = {
      ...rest,
      cluster: sets.cluster,
      version: held.newest.set.version + 1,
      previous: held.newest.digest,
      ...changes,
    };
    return followSet(held, seal(PAYLOAD_TYPES.signerSet, value, [signer]).envelope);
  };
  const chainOf = (held: typeof sets) => held.chain.map((one) => one.envelope);
  const two = follow(sets, { persons: [ana, bob] });
  const his = makeOrder({ sets: two, person: bob.id, signer: thief });
  const theirs = signOrder(his, thief);
  const about = { order: theirs.digest, job: his.job, person: bob.id, index: 0, set: setRef(two.newest) };
  const shown = (held: typeof sets): Bundle =>
    bundle({
      order: theirs.envelope,
      sets: chainOf(held),
      receipts: [{ receipt: makeReceipt(predicate(about), identity).envelope, received: null }],
    });
  test('is not forgotten when later versions leave it out', () => {
    verifyBundle(shown(two), []);
    const ended = { is: 'compromised', since: NOW, kept: [], running: 'stop' };
    const three = follow(two, { persons: [ana, { ...bob, keys: [{ ...bob.keys[0], ended }] }] });
    assert.throws(() => verifyBundle(shown(three), []), code('verify.signer_compromised'));
    assert.throws(
      () => verifyBundle(shown(follow(three, { persons: [ana] })), []),
      code('verify.signer_compromised'),
    );
    const removed = follow(two, {
      agentsRemoved: [{ identity: identity.key, is: 'compromised', since: NOW }],
    });
    assert.throws(
      () => verifyBundle(shown(follow(removed, { agentsRemoved: [] })), []),
      code('admission.removed'),
    );
  });
  test('a countersignature by a key that a server can use, or a thief had, counts for nothing', () => {
    for (const changes of [
      { custody: 'server' },
      { ended: { is: 'compromised', since: NOW, kept: [], running: 'stop' } },
      { form: 'sshsig' },
    ]) {
      const held = follow(sets, { persons: [ana, { ...bob, keys: [{ ...bob.keys[0], ...changes }] }] });
      const word = {
        cluster: sets.cluster,
        receipt: receipt.digest,
        set: setRef(held.newest),
        person: bob.id,
        now: NOW,
      };
      const receipts = [{ receipt: receipt.envelope, received: makeReceived(word, thief).envelope }];
      const verified = verifyBundle(bundle({ sets: chainOf(held), receipts }), []);
      assert.equal(verified.receipts[0]!.isCountersigned, false, JSON.stringify(changes));
      const named = [
        { receipt: receipt.envelope, received: makeReceived({ ...word, person }, thief).envelope },
      ];
      assert.throws(
        () => verifyBundle(bundle({ sets: chainOf(held), receipts: named }), []),
        code('received.refused'),
      );
    }
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

test('a countersignature is of this cluster, by the one key that it names', () => {
  const wish = { cluster: sets.cluster, receipt: receipt.digest, set: setRef(sets.newest), person, now: NOW };
  const other = signerFromSeed(newSeed(random));
  const keys = [signer.key, other.key];
  const made = makeReceived(wish, signer);
  const said = judgeReceived(made.envelope, sets.cluster, keys);
  assert.throws(() => judgeReceived(made.envelope, makeWorld().sets.cluster, keys), code('received.refused'));
  for (const signers of [[other], [signer, other]])
    assert.throws(
      () => judgeReceived(seal(PAYLOAD_TYPES.received, said, signers).envelope, sets.cluster, keys),
      code('received.refused'),
    );
});

test('whatever is not a bundle is refused with words', () => {
  for (const value of [null, 1, {}, { ...bundle(), extra: 1 }, { ...bundle(), bundle: 2 }])
    assert.throws(() => verifyBundle(value, []), code('verify.malformed'));
});
