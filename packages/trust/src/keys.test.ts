import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeBase64Url } from '@writ/contract';
import {
  generateP256,
  isStrongEd25519,
  keyBytes,
  newSeed,
  p256Signer,
  signerFromSeed,
  verifySignature,
} from './keys.ts';
import { random } from './testing/world.ts';
import { TrustError } from './trust-error.ts';

const code = (expected: string) => (error: unknown) => error instanceof TrustError && error.code === expected;
const bytes = new TextEncoder().encode('bytes');

test('what a key signs it alone verifies', () => {
  for (const make of [() => signerFromSeed(newSeed(random)), () => p256Signer(generateP256().privateKey)]) {
    const [mine, other] = [make(), make()];
    const signature = mine.sign(bytes);
    assert.ok(verifySignature(mine.key, bytes, signature));
    assert.ok(!verifySignature(other.key, bytes, signature));
    assert.ok(!verifySignature(mine.key, new TextEncoder().encode('other'), signature));
    assert.ok(!verifySignature(mine.key, bytes, signature.subarray(1)));
  }
});

test('RFC 8032 test 1 gives its published public key and signature', () => {
  const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));
  const signer = signerFromSeed(hex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'));
  assert.equal(
    signer.key,
    `ed25519:${encodeBase64Url(hex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'))}`,
  );
  assert.deepEqual(
    Buffer.from(signer.sign(new Uint8Array(0))).toString('hex'),
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  );
});

test('a signature whose S is not reduced is refused', () => {
  const signer = signerFromSeed(newSeed(random));
  const signature = Uint8Array.from(signer.sign(bytes));
  const order = (1n << 252n) + 27742317777372353535851937790883648493n;
  let s = order;
  for (let at = 63; at >= 32; at -= 1) s += BigInt(signature[at]!) << BigInt(8 * (at - 32));
  for (let at = 32; at < 64; at += 1) signature[at] = Number((s >> BigInt(8 * (at - 32))) & 255n);
  assert.ok(!verifySignature(signer.key, bytes, signature));
});

const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];

test('a seed of another length and a text that is no key are refused with a code', () => {
  assert.throws(() => signerFromSeed(new Uint8Array(31)), code('key.malformed'));
  assert.throws(() => keyBytes('ed25519:*'), code('key.malformed'));
  assert.ok(!verifySignature('ed25519:*', bytes, new Uint8Array(64)));
});

test('points of small order and coordinates that are not reduced are no keys', () => {
  for (const point of SMALL_ORDER) {
    const key = `ed25519:${Buffer.from(point, 'hex').toString('base64url')}`;
    assert.ok(!isStrongEd25519(key), point);
    const everybodys = new Uint8Array(64);
    everybodys[0] = 1;
    assert.ok(!verifySignature(key, bytes, everybodys), point);
  }
  assert.ok(isStrongEd25519(signerFromSeed(newSeed(random)).key));
});

test('a P-256 key text that holds another curve or rubbish has signed nothing', () => {
  const signature = p256Signer(generateP256().privateKey).sign(bytes);
  assert.ok(!verifySignature(`p256:${'A'.repeat(122)}`, bytes, signature));
  assert.ok(!verifySignature('rsa:AAAA', bytes, signature));
});
