import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeBase64,
  encodeBase64,
  orderCheck,
  parsePayload,
  PAYLOAD_TYPES,
  receiptCheck,
} from '@writ/contract';
import type { Envelope } from '@writ/contract';
import { newSeed, signerFromSeed } from '../keys.ts';
import { makeOrder, makeWorld, random } from '../testing/world.ts';
import { TrustError } from '../trust-error.ts';
import { preAuthenticationEncoding } from './encode.ts';
import { envelopeDigest, openEnvelope } from './open.ts';
import { seal } from './seal.ts';

const world = makeWorld();
const { signer } = world;
const sealed = seal(PAYLOAD_TYPES.order, makeOrder(world), [signer]);
const opening = { type: PAYLOAD_TYPES.order, check: orderCheck, candidates: [signer.key] };
const code = (expected: string) => (error: unknown) => error instanceof TrustError && error.code === expected;

test('the pre-authentication encoding is that of the published DSSE vector', () => {
  const encoded = preAuthenticationEncoding(
    'http://example.com/HelloWorld',
    new TextEncoder().encode('hello world'),
  );
  assert.equal(new TextDecoder().decode(encoded), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world');
});

test('lengths in the encoding are counted in bytes', () => {
  assert.equal(
    new TextDecoder().decode(preAuthenticationEncoding('ü', new TextEncoder().encode('€'))),
    'DSSEv1 2 ü 3 €',
  );
});

test('what was sealed opens, and is parsed once, after its signature was found right', () => {
  let calls = 0;
  const parse: typeof parsePayload = (bytes) => ((calls += 1), parsePayload(bytes));
  const opened = openEnvelope(sealed.envelope, { ...opening, parse });
  assert.equal(opened.digest, sealed.digest);
  assert.equal(calls, 1);
  const forged = seal(PAYLOAD_TYPES.order, makeOrder(world), [signerFromSeed(newSeed(random))]);
  assert.throws(() => openEnvelope(forged.envelope, { ...opening, parse }), code('envelope.key_unknown'));
  assert.throws(
    () =>
      openEnvelope({ ...sealed.envelope, payload: encodeBase64(new Uint8Array(9)) }, { ...opening, parse }),
    code('envelope.signature_bad'),
  );
  assert.equal(calls, 1, 'the parser never saw what nobody signed');
});

test('10,000 flipped bits anywhere in type, payload or signature are 10,000 refusals', () => {
  const parts = [
    new TextEncoder().encode(sealed.envelope.payloadType),
    decodeBase64(sealed.envelope.payload)!,
    decodeBase64(sealed.envelope.signatures[0]!.sig)!,
  ];
  let refused = 0;
  for (let run = 0; run < 10_000; run += 1) {
    const copies = parts.map((part) => Uint8Array.from(part));
    const part = copies[run % 3]!;
    const bit = Math.floor(Math.random() * part.length * 8);
    part[bit >> 3]! ^= 1 << (bit & 7);
    const envelope: Envelope = {
      payloadType: new TextDecoder().decode(copies[0]),
      payload: encodeBase64(copies[1]!),
      signatures: [{ keyid: signer.key, sig: encodeBase64(copies[2]!) }],
    };
    assert.throws(() => openEnvelope(envelope, opening), TrustError);
    refused += 1;
  }
  assert.equal(refused, 10_000);
});

test('an object of another kind is refused, also when the right key signed it', () => {
  const receipt = seal(PAYLOAD_TYPES.receipt, makeOrder(world), [signer]);
  assert.throws(() => openEnvelope(receipt.envelope, opening), code('envelope.type_wrong'));
  const relabelled = { ...receipt.envelope, payloadType: PAYLOAD_TYPES.order };
  assert.throws(() => openEnvelope(relabelled, opening), code('envelope.signature_bad'));
  assert.throws(
    () =>
      openEnvelope(sealed.envelope, {
        ...opening,
        type: PAYLOAD_TYPES.receipt,
        check: receiptCheck as never,
      }),
    code('envelope.type_wrong'),
  );
});

test('a key id is a hint: a wrong or missing one changes nothing, and a right one excuses nothing', () => {
  const [signature] = sealed.envelope.signatures;
  const stranger = signerFromSeed(newSeed(random));
  for (const keyid of [undefined, stranger.key, 'x']) {
    const envelope = {
      ...sealed.envelope,
      signatures: [keyid === undefined ? { sig: signature!.sig } : { keyid, sig: signature!.sig }],
    };
    assert.deepEqual(openEnvelope(envelope, opening).signedBy, [signer.key]);
    assert.equal(envelopeDigest(envelope), sealed.digest, 'the digest does not cover the envelope');
  }
  const forged = seal(PAYLOAD_TYPES.order, makeOrder(world), [stranger]).envelope;
  const claimed = { ...forged, signatures: [{ keyid: signer.key, sig: forged.signatures[0]!.sig }] };
  assert.throws(() => openEnvelope(claimed, opening), code('envelope.signature_bad'));
});

test('a signature more than expected is refused, and so is one key signing twice', () => {
  const two = seal(PAYLOAD_TYPES.order, makeOrder(world), [signer, signerFromSeed(newSeed(random))]);
  assert.throws(() => openEnvelope(two.envelope, opening), code('envelope.key_unknown'));
  const twice = seal(PAYLOAD_TYPES.order, makeOrder(world), [signer, signer]);
  assert.throws(() => openEnvelope(twice.envelope, opening), code('envelope.signature_bad'));
});

test('unknown fields are refused in the envelope and in the payload', () => {
  assert.throws(() => openEnvelope({ ...sealed.envelope, extra: 1 }, opening), code('envelope.malformed'));
  const wider = seal(PAYLOAD_TYPES.order, { ...makeOrder(world), extra: 1 }, [signer]);
  assert.throws(() => openEnvelope(wider.envelope, opening), code('envelope.payload_malformed'));
  const inherited = seal(
    PAYLOAD_TYPES.order,
    JSON.parse(JSON.stringify(makeOrder(world)).replace('{', '{"__proto__":{"admin":1},')),
    [signer],
  );
  assert.throws(() => openEnvelope(inherited.envelope, opening), code('envelope.payload_malformed'));
});

test('the free bits of base64 do not pass', () => {
  const payload = sealed.envelope.payload.replace(/=+$/, '');
  assert.throws(
    () => openEnvelope({ ...sealed.envelope, payload: `${payload}====` }, opening),
    code('envelope.malformed'),
  );
  const bytes = new TextEncoder().encode('{"a":1}');
  const respelled = encodeBase64(bytes).replace(/.==$/, (end) => `${end === 'Q==' ? 'R' : 'f'}==`);
  assert.notEqual(respelled, encodeBase64(bytes));
  assert.throws(
    () => openEnvelope({ ...sealed.envelope, payload: respelled }, opening),
    code('envelope.malformed'),
  );
});

test('more signatures than anybody asks for, and more bytes, are refused before they cost anything', () => {
  const signatures = Array.from({ length: 17 }, () => sealed.envelope.signatures[0]!);
  assert.throws(() => openEnvelope({ ...sealed.envelope, signatures }, opening), code('envelope.malformed'));
  const size = decodeBase64(sealed.envelope.payload)!.length;
  openEnvelope(sealed.envelope, { ...opening, maxBytes: size });
  assert.throws(
    () => openEnvelope(sealed.envelope, { ...opening, maxBytes: size - 8 }),
    code('envelope.malformed'),
  );
});

test('any value at all is refused with a code', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.anything(),
        fc.record({
          payloadType: fc.string(),
          payload: fc.base64String(),
          signatures: fc.array(fc.record({ sig: fc.base64String() })),
        }),
      ),
      (value) => {
        assert.throws(() => openEnvelope(value, opening), TrustError);
      },
    ),
    { numRuns: 10_000 },
  );
});
