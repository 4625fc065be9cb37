import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { PAYLOAD_TYPES } from '@writ/contract';
import type { Admission } from '@writ/contract';
import { seal } from '../envelope/seal.ts';
import { generateP256, inviteSigner, newId, newSeed, p256Signer, signerFromSeed } from '../keys.ts';
import { followSet } from '../signer-set/follow-sets.ts';
import { setRef } from '../signer-set/held-sets.ts';
import { makeWorld, NOW, random } from '../testing/world.ts';
import { TrustError } from '../trust-error.ts';
import { addSignature, judgeAdmission, makeAdmission } from './admission.ts';
import { judgeCertificateRequest, makeCertificateRequest } from './certificate-request.ts';
import { checkInviteTime, judgeInvite, makeInvite } from './invite.ts';
import { parseInvite, writeInvite } from './invite-text.ts';

const world = makeWorld();
const { sets, signer, person, invite, inviteKey, identity, admission } = world;
const code = (expected: string) => (error: unknown) => error instanceof TrustError && error.code === expected;
const stranger = signerFromSeed(newSeed(random));

describe('the text of an invite', () => {
  test('gives back what it was made of, and is typed in either case', () => {
    const parsed = parseInvite(invite.text);
    assert.equal(parsed.set, sets.newest.digest);
    assert.equal(inviteSigner(parsed.seed).key, inviteKey.key);
    assert.deepEqual(parsed.addresses, ['localhost:7411']);
    const text = writeInvite({
      set: parsed.set,
      seed: parsed.seed,
      addresses: ['[::1]:7411', '192.0.2.7:7411', 'ana-pc.local:7411'],
    });
    assert.equal(parseInvite(` ${text}\n`).addresses.length, 3);
  });
  test('with any one letter changed is refused', () => {
    const at = invite.text.indexOf('@');
    for (let position = 6; position < at; position += 1) {
      const letter = invite.text[position] === 'a' ? 'b' : 'a';
      const changed = invite.text.slice(0, position) + letter + invite.text.slice(position + 1);
      assert.throws(() => parseInvite(changed), code('invite.malformed'), `letter ${position}`);
    }
  });
  test('of any other form is refused with words', () => {
    for (const text of [
      '',
      'writ1-',
      'writ1-aaaa@h:1',
      invite.text.split('@')[0]!,
      `${invite.text}@x:1`,
      `${invite.text},`,
      invite.text.replace('@localhost:7411', '@localhost'),
      invite.text.replace('localhost', 'a b'),
    ]) {
      assert.throws(() => parseInvite(text), code('invite.malformed'), text);
    }
    fc.assert(
      fc.property(fc.string(), (text) => assert.throws(() => parseInvite(text), TrustError)),
      { numRuns: 2000 },
    );
  });
  test('holds the seed, and what the server gets does not', () => {
    const seed = Buffer.from(parseInvite(invite.text).seed);
    const sent = Buffer.from(invite.envelope.payload, 'base64');
    assert.ok(
      !sent.includes(seed) &&
        !sent.toString().includes(seed.toString('hex')) &&
        !sent.toString().includes(seed.toString('base64')),
    );
  });
});

describe('an invite', () => {
  const by = { person, signer };
  const wish = { role: 'agent', name: null, labels: [], queues: ['*'], addresses: ['h:1'] } as const;
  test('made by a server, which no signer admitted, is refused', () => {
    const fake = makeInvite(sets, { person, signer: stranger }, wish, NOW, random);
    assert.throws(() => judgeInvite(fake.envelope, sets), code('envelope.key_unknown'));
  });
  test('of another cluster is refused', () => {
    const other = makeWorld();
    assert.throws(() => judgeInvite(other.invite.envelope, sets), code('envelope.key_unknown'));
    const moved = makeInvite({ ...sets, cluster: other.sets.cluster }, by, wish, NOW, random);
    assert.throws(() => judgeInvite(moved.envelope, sets), code('invite.cluster_other'));
  });
  test('longer than a quarter of an hour is refused', () => {
    assert.throws(
      () => judgeInvite(makeInvite(sets, by, { ...wish, seconds: 901 }, NOW, random).envelope, sets),
      code('invite.too_long'),
    );
  });
  test('has each label once', () => {
    const labelled = (...names: string[]) =>
      makeInvite(
        sets,
        by,
        { ...wish, labels: names.map((name, at) => ({ name, value: `${at}` })) },
        NOW,
        random,
      );
    const { invite: sorted } = judgeInvite(labelled('gpu', 'big').envelope, sets);
    assert.deepEqual(
      sorted.labels.map(({ name }) => name),
      ['big', 'gpu'],
    );
    assert.throws(() => judgeInvite(labelled('gpu', 'gpu').envelope, sets), code('invite.labels'));
    const unsorted = { ...sorted, labels: sorted.labels.toReversed() };
    const respelled = seal(PAYLOAD_TYPES.invite, unsorted, [signer]).envelope;
    assert.throws(() => judgeInvite(respelled, sets), code('invite.labels'));
  });
  test('is for its time only', () => {
    const { invite: body } = judgeInvite(invite.envelope, sets);
    checkInviteTime(body, NOW + 900_000);
    assert.throws(() => checkInviteTime(body, NOW + 900_001), code('invite.expired'));
    assert.throws(() => checkInviteTime(body, NOW - 300_001), code('invite.expired'));
  });
  const change = (persons: object, { bob, ...more }: { bob?: object; [field: string]: unknown } = {}) => {
    const { nonce: _nonce, ...rest } = sets.newest.set as typeof sets.newest.set & { nonce?: string };
    const [ana] = sets.newest.set.persons;
    const set = {
      ...rest,
      cluster: sets.cluster,
      version: 2,
      previous: sets.newest.digest,
      persons: [{ ...ana!, ...persons }, ...(bob ? [bob] : [])],
      ...more,
    };
    return followSet(sets, seal(PAYLOAD_TYPES.signerSet, set, bob ? [signer, stranger] : [signer]).envelope);
  };
  test('is void where its signer might not admit any more, and stands where that came later', () => {
    const [ana] = sets.newest.set.persons;
    const grants = { ...ana!.grants, admit: false };
    assert.throws(() => judgeInvite(invite.envelope, change({ grants })), code('invite.not_granted'));
    judgeInvite(invite.envelope, change({ grants }, { time: NOW + 1 }));
  });
  const key = (changes: object) =>
    change({ keys: [{ ...sets.newest.set.persons[0]!.keys[0]!, ...changes }] }, another());
  const another = () => {
    const [ana] = sets.newest.set.persons;
    const bob = { ...ana!, id: newId(random), name: 'bob', keys: [{ ...ana!.keys[0]!, key: stranger.key }] };
    return { changers: [bob.id], bob };
  };
  test('is signed by the one key that it names', () => {
    const both = change({}, another());
    const { invite: named } = judgeInvite(invite.envelope, both);
    for (const signers of [[stranger], [signer, stranger]])
      assert.throws(
        () => judgeInvite(seal(PAYLOAD_TYPES.invite, named, signers).envelope, both),
        code('invite.signer_wrong'),
      );
  });
  test('is the word of a key that counted when it signed', () => {
    const ended = (is: string, since: number) => ({
      ended: is === 'retired' ? { is, since } : { is, since, kept: [], running: 'stop' },
    });
    const cases = [
      [ended('retired', NOW - 1), 'invite.key_retired'],
      [ended('compromised', NOW + 1), 'invite.key_compromised'],
      [{ until: NOW - 1 }, 'invite.key_expired'],
      [{ form: 'sshsig' }, 'invite.form_wrong'],
      [{ custody: 'browser' }, 'invite.custody'],
    ] as const;
    for (const [changes, expected] of cases)
      assert.throws(() => judgeInvite(invite.envelope, key(changes)), code(expected), expected);
    const retired = key(ended('retired', NOW + 1));
    judgeInvite(invite.envelope, retired);
    const since = makeInvite(retired, by, wish, NOW, random);
    assert.throws(
      () => judgeInvite(since.envelope, retired),
      code('invite.key_retired'),
      'it names a set in which the key was retired',
    );
  });
  test('is void once it is revoked, and so is what rests on it', () => {
    const revoked = change({}, { invitesRevoked: [invite.digest] });
    assert.throws(() => judgeInvite(invite.envelope, revoked), code('invite.revoked'));
    assert.throws(
      () => judgeAdmission(world.admissionEnvelope, invite.envelope, revoked),
      code('invite.revoked'),
    );
  });
});

describe('an admission', () => {
  const make = (changes: Partial<Admission> = {}, admitter = inviteKey, self = identity) =>
    makeAdmission({ ...admission, ...changes }, admitter, self).envelope;
  test('by invite takes labels and queues from the invite alone', () => {
    assert.deepEqual(world.admitted.labels, [{ name: 'gpu', value: '' }]);
    assert.deepEqual(world.admitted.queues, ['*']);
    assert.equal(world.admitted.how, 'invite');
  });
  const refusals: Record<string, [() => Parameters<typeof judgeAdmission>[0], string]> = {
    'signed by the identity alone': [
      () => seal(PAYLOAD_TYPES.admission, admission, [identity]).envelope,
      'admission.signatures_wrong',
    ],
    'signed by the invite key alone': [
      () => seal(PAYLOAD_TYPES.admission, admission, [inviteKey]).envelope,
      'admission.signatures_wrong',
    ],
    'signed by somebody else as well': [
      () => seal(PAYLOAD_TYPES.admission, admission, [inviteKey, identity, stranger]).envelope,
      'admission.signatures_wrong',
    ],
    'of an identity that did not sign': [
      () => make({ identity: stranger.key }),
      'admission.signatures_wrong',
    ],
    'by a key made up by a server': [
      () => make({ how: { is: 'invite', invite: invite.digest, inviteKey: stranger.key } }, stranger),
      'admission.invite_other',
    ],
    'that names another invite': [
      () => make({ how: { is: 'invite', invite: sets.newest.digest, inviteKey: inviteKey.key } }),
      'admission.invite_other',
    ],
    'to another cluster': [() => make({ cluster: makeWorld().sets.cluster }), 'admission.cluster_other'],
    'by hand of somebody who is not in the set': [
      () =>
        make(
          {
            how: {
              is: 'by_hand',
              labels: [],
              queues: ['*'],
              set: setRef(sets.newest),
              by: { person, key: stranger.key },
            },
          },
          stranger,
        ),
      'admission.signer_unknown',
    ],
  };
  for (const [title, [envelope, expected]] of Object.entries(refusals)) {
    test(`${title} is refused: ${expected}`, () =>
      assert.throws(
        () => judgeAdmission(envelope(), title.startsWith('by hand') ? null : invite.envelope, sets),
        code(expected),
      ));
  }
  test('without the invite it rests on is refused', () => {
    assert.throws(
      () => judgeAdmission(world.admissionEnvelope, null, sets),
      code('admission.invite_missing'),
    );
  });
  test('with an invite for another name or role is refused', () => {
    for (const [changes, expected] of [
      [{ name: 'lab-09' }, 'admission.name_wrong'],
      [{ role: 'person' }, 'admission.role_wrong'],
    ] as const) {
      const other = makeInvite(
        sets,
        { person, signer },
        { role: 'agent', name: null, labels: [], queues: ['*'], addresses: ['h:1'], ...changes },
        NOW,
        random,
      );
      const key = inviteSigner(parseInvite(other.text).seed);
      const envelope = make({ how: { is: 'invite', invite: other.digest, inviteKey: key.key } }, key);
      assert.throws(() => judgeAdmission(envelope, other.envelope, sets), code(expected));
    }
  });
  test('takes over a name only by an invite for that name', () => {
    const supersedes = `sha256:${'1'.repeat(64)}`;
    assert.throws(
      () => judgeAdmission(make({ supersedes }), invite.envelope, sets),
      code('admission.supersedes_not_granted'),
    );
    const named = makeInvite(
      sets,
      { person, signer },
      { role: 'agent', name: 'lab-02', labels: [], queues: ['*'], addresses: ['h:1'] },
      NOW,
      random,
    );
    const key = inviteSigner(parseInvite(named.text).seed);
    const how = { is: 'invite', invite: named.digest, inviteKey: key.key } as const;
    assert.equal(judgeAdmission(make({ supersedes, how }, key), named.envelope, sets).supersedes, supersedes);
  });
  test('of a gateway is no admission of an agent', () => {
    assert.throws(
      () => judgeAdmission(make({ role: 'gateway' }), invite.envelope, sets),
      code('admission.role_wrong'),
    );
    const by = { person, key: signer.key };
    const how: Admission['how'] = {
      is: 'by_hand',
      labels: [],
      queues: ['*'],
      set: setRef(sets.newest),
      by,
    };
    judgeAdmission(make({ how }, signer), null, sets);
    assert.throws(
      () => judgeAdmission(make({ how, role: 'gateway' }, signer), null, sets),
      code('admission.role_wrong'),
    );
  });
  test('by hand is put together from two halves over the same bytes', () => {
    const byHand: Admission = {
      ...admission,
      how: {
        is: 'by_hand',
        labels: [],
        queues: ['*'],
        set: setRef(sets.newest),
        by: { person, key: signer.key },
      },
    };
    const [half, other] = [
      seal(PAYLOAD_TYPES.admission, byHand, [signer]),
      seal(PAYLOAD_TYPES.admission, byHand, [identity]),
    ];
    assert.equal(judgeAdmission(addSignature(half, other), null, sets).how, 'by_hand');
    assert.throws(
      () => addSignature(half, seal(PAYLOAD_TYPES.admission, { ...byHand, name: 'x' }, [identity])),
      code('admission.halves_differ'),
    );
  });
});

describe('a certificate request', () => {
  const tls = p256Signer(generateP256().privateKey);
  const ask = { cluster: sets.cluster, previous: null, now: NOW };
  test('is signed by both keys that it names', () => {
    const made = makeCertificateRequest(ask, identity, tls);
    assert.equal(judgeCertificateRequest(made.envelope, sets.cluster).tlsKey, tls.key);
    for (const signers of [[identity], [tls], [identity, tls, stranger], [stranger, tls]]) {
      const forged = seal(
        PAYLOAD_TYPES.certificateRequest,
        JSON.parse(Buffer.from(made.envelope.payload, 'base64').toString()),
        signers,
      );
      assert.throws(
        () => judgeCertificateRequest(forged.envelope, sets.cluster),
        code('request.signatures_wrong'),
      );
    }
    assert.throws(
      () => judgeCertificateRequest(made.envelope, makeWorld().sets.cluster),
      code('request.cluster_other'),
    );
  });
});
