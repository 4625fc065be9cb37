import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  admissionCheck,
  certificateRequestCheck,
  descriptionCheck,
  freshnessCheck,
  inviteCheck,
  orderCheck,
  parsePayload,
  PAYLOAD_TYPES,
  receiptCheck,
  receivedCheck,
  signerSetCheck,
  withdrawalCheck,
} from '@writ/contract';
import type { Check, Envelope, PayloadType, ReceiptPredicate } from '@writ/contract';
import fc from 'fast-check';
import { judgeAdmission } from './admission/admission.ts';
import { judgeCertificateRequest } from './admission/certificate-request.ts';
import { judgeDescription } from './admission/description.ts';
import { judgeInvite } from './admission/invite.ts';
import { seal } from './envelope/seal.ts';
import { generateP256, p256Signer } from './keys.ts';
import type { Signer } from './keys.ts';
import { openOrder } from './order/open-order.ts';
import { judgeWithdrawal } from './order/withdrawal.ts';
import { judgeReceived, makeReceipt, openReceipt } from './receipt/receipt.ts';
import { judgeFreshness } from './signer-set/freshness.ts';
import { followSet, startSets } from './signer-set/follow-sets.ts';
import { setRef } from './signer-set/held-sets.ts';
import { misshapen, mixed, payloadOf, resealed } from './testing/mutate.ts';
import type { Genuine } from './testing/mutate.ts';
import { makeOrder, makeWorld, NOW } from './testing/world.ts';
import { TrustError } from './trust-error.ts';

const world = makeWorld();
const { sets, signer, person, identity, admitted, inviteKey } = world;
const { cluster } = sets;
const set = setRef(sets.newest);
const by = { person, key: signer.key };
const digest = `sha256:${'0'.repeat(64)}`;
const tls = p256Signer(generateP256().privateKey);
const order = makeOrder(world, { array: { is: 'values', values: ['a', 'b'] }, notBefore: NOW });

const { nonce: _nonce, ...rest } = sets.newest.set as typeof sets.newest.set & { nonce?: string };
const [ana] = sets.newest.set.persons;
const later = {
  ...rest,
  cluster,
  version: 2,
  previous: sets.newest.digest,
  persons: [
    ana,
    {
      ...ana!,
      id: 'baaaaaaaaaaaaaaaaaaaaaaaaa',
      name: 'bob',
      keys: [
        {
          ...ana!.keys[0]!,
          key: tls.key,
          ended: { is: 'compromised', since: NOW, kept: [digest], running: 'stop' },
        },
      ],
    },
  ],
  groups: [{ name: 'all', persons: [person] }],
  queueRules: [{ queue: 'default', persons: 2 }],
  agentsRemoved: [{ identity: identity.key, is: 'retired', since: NOW }],
};
const description = {
  format: 1,
  cluster,
  identity: identity.key,
  time: NOW,
  writ: '0.1.0',
  node: '24',
  os: 'linux',
  arch: 'x64',
  host: 'lab-02',
  cores: 2,
  memoryBytes: 1,
  slots: 2,
  counters: [{ name: 'licence', amount: 1 }],
  megaflops: 1,
  profiles: [{ profile: 'strict', memory: 'cgroup', network: false, probes: [{ name: 'a', is: 'denied' }] }],
  labels: [{ name: 'gpu', value: '' }],
  policy: '',
};
const predicate: ReceiptPredicate = {
  format: 1,
  cluster,
  kind: 'ended',
  identity: identity.key,
  admission: admitted.digest,
  person,
  order: digest,
  job: order.job,
  index: 0,
  attempt: 1,
  token: { epoch: 1, n: 1 },
  set,
  adopts: null,
  because: 'exit',
  detail: '',
  exit: { code: 0 },
  variant: 0,
  profile: 'strict',
  started: NOW,
  ended: NOW,
  outputs: [{ path: 'a', mode: 'file', digest, size: 0 }],
  stdout: { digest, size: 0 },
  stderr: { digest, size: 0 },
  resources: { wallMs: 1, cpuMs: 1, memoryPeakBytes: 1 },
  seq: 1,
  previous: null,
  auditHead: { size: 1, root: digest, time: NOW },
};

const genuine = (type: PayloadType, value: unknown, signers: readonly Signer[]): Genuine => ({
  type,
  envelope: seal(type, value, signers).envelope,
  signers,
});
const sealedBefore = (type: PayloadType, envelope: Envelope, signers: readonly Signer[]): Genuine =>
  genuine(type, payloadOf(envelope), signers);

const objects: Record<string, [Genuine, (envelope: Envelope) => unknown]> = {
  'first signer set': [
    sealedBefore(PAYLOAD_TYPES.signerSet, world.first.envelope, [signer]),
    (one) => startSets(one, cluster),
  ],
  'later signer set': [genuine(PAYLOAD_TYPES.signerSet, later, [signer]), (one) => followSet(sets, one)],
  'freshness mark': [
    genuine(PAYLOAD_TYPES.freshness, { format: 1, cluster, set, time: NOW, ...by }, [signer]),
    (one) => judgeFreshness(one, sets),
  ],
  invite: [
    sealedBefore(PAYLOAD_TYPES.invite, world.invite.envelope, [signer]),
    (one) => judgeInvite(one, sets),
  ],
  admission: [
    genuine(PAYLOAD_TYPES.admission, world.admission, [inviteKey, identity]),
    (one) => judgeAdmission(one, world.invite.envelope, sets),
  ],
  'admission by hand': [
    genuine(
      PAYLOAD_TYPES.admission,
      {
        ...world.admission,
        how: { is: 'by_hand', labels: [{ name: 'a', value: '' }], queues: ['*'], set, by },
      },
      [signer, identity],
    ),
    (one) => judgeAdmission(one, null, sets),
  ],
  'certificate request': [
    genuine(
      PAYLOAD_TYPES.certificateRequest,
      { format: 1, cluster, identity: identity.key, tlsKey: tls.key, previous: null, time: NOW },
      [identity, tls],
    ),
    (one) => judgeCertificateRequest(one, cluster),
  ],
  description: [
    genuine(PAYLOAD_TYPES.description, description, [identity]),
    (one) => judgeDescription(one, { cluster, identity: identity.key }),
  ],
  order: [genuine(PAYLOAD_TYPES.order, order, [signer]), (one) => openOrder(one, sets)],
  withdrawal: [
    genuine(PAYLOAD_TYPES.withdrawal, { format: 1, cluster, order: digest, indexes: [1], by, time: NOW }, [
      signer,
    ]),
    (one) => judgeWithdrawal(one, sets, () => true),
  ],
  receipt: [
    sealedBefore(PAYLOAD_TYPES.receipt, makeReceipt(predicate, identity).envelope, [identity]),
    (one) => openReceipt(one, cluster, admitted),
  ],
  countersignature: [
    genuine(PAYLOAD_TYPES.received, { format: 1, cluster, receipt: digest, by, set, time: NOW }, [signer]),
    (one) => judgeReceived(one, cluster, [signer.key]),
  ],
};
const all = Object.values(objects).map(([one]) => one);

const checks: Partial<Record<PayloadType, Check<unknown>>> = {
  [PAYLOAD_TYPES.signerSet]: signerSetCheck,
  [PAYLOAD_TYPES.freshness]: freshnessCheck,
  [PAYLOAD_TYPES.invite]: inviteCheck,
  [PAYLOAD_TYPES.admission]: admissionCheck,
  [PAYLOAD_TYPES.certificateRequest]: certificateRequestCheck,
  [PAYLOAD_TYPES.description]: descriptionCheck,
  [PAYLOAD_TYPES.order]: orderCheck,
  [PAYLOAD_TYPES.withdrawal]: withdrawalCheck,
  [PAYLOAD_TYPES.receipt]: receiptCheck,
  [PAYLOAD_TYPES.received]: receivedCheck,
};

for (const [title, [one, read]] of Object.entries(objects)) {
  test(`10,000 ${title}s with a field dropped, added or of another type do not have the shape`, () => {
    const check = checks[one.type];
    assert.ok(check);
    const payload = payloadOf(one.envelope);
    assert.ok(check.is(payload));
    fc.assert(
      fc.property(misshapen(payload), (value) => {
        const parsed = parsePayload(new TextEncoder().encode(JSON.stringify(value)));
        assert.ok('fault' in parsed || !check.is(parsed.value));
      }),
      { numRuns: 10_000 },
    );
  });

  test(`a genuine ${title} is read; mixed with others, or changed and signed again, it is refused with a code`, () => {
    assert.doesNotThrow(() => read(one.envelope));
    const others = [...all.filter((other) => other !== one), genuine(one.type, { other: true }, one.signers)];
    fc.assert(
      fc.property(fc.oneof(mixed(one, others), resealed(one)), (value) => {
        assert.throws(() => read(value as Envelope), TrustError);
      }),
      { numRuns: 500 },
    );
  });
}
