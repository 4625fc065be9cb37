import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import * as browser from './browser.ts';
import * as node from './node.ts';

const both = [
  ['Node', node, 'a browser', browser],
  ['a browser', browser, 'Node', node],
] as const;
const ROUNDS = 20;

describe('the primitives of Node and those of browsers', () => {
  test('have the same names', () => {
    assert.deepEqual(Object.keys(browser).toSorted(), Object.keys(node).toSorted());
  });

  test('hash and derive the same', () => {
    for (const size of [0, 1, 63, 64, 1000]) {
      const bytes = new Uint8Array(randomBytes(size));
      assert.deepEqual(new Uint8Array(browser.sha256(bytes)), new Uint8Array(node.sha256(bytes)));
      assert.equal(browser.sha256Hex(bytes), node.sha256Hex(bytes));
      const [a, b] = [browser.startSha256(), node.startSha256()];
      for (const state of [a, b])
        for (const part of [bytes.subarray(0, 7), bytes.subarray(7)]) state.update(part);
      assert.equal(a.hex(), b.hex());
      const secret = new Uint8Array(randomBytes(16));
      assert.deepEqual(browser.deriveKey(secret, 'writ invite 1'), node.deriveKey(secret, 'writ invite 1'));
    }
    assert.equal(browser.sha256Hex('é'), node.sha256Hex('é'));
  });

  for (const [here, signs, there, verifies] of both) {
    test(`what ${here} signs with Ed25519, ${there} verifies, and nothing else`, () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const seed = new Uint8Array(randomBytes(32));
        const key = signs.ed25519FromSeed(seed);
        const bytes = new Uint8Array(randomBytes(100));
        const signature = new Uint8Array(key.sign(bytes));
        assert.deepEqual(signature, new Uint8Array(verifies.ed25519FromSeed(seed).sign(bytes)));
        const verify = verifies.ed25519Verifier(new Uint8Array(key.publicKey));
        assert.equal(verify(bytes, signature), true);
        for (const at of [0, 40]) {
          const changed = signature.slice();
          changed[at] = (changed[at] ?? 0) ^ 1;
          assert.equal(verify(bytes, changed), false);
        }
        bytes[0] = (bytes[0] ?? 0) ^ 1;
        assert.equal(verify(bytes, signature), false);
      }
    });

    test(`what ${here} signs with P-256, ${there} verifies, and nothing else`, () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const pair = verifies.generateP256();
        const key = signs.p256FromPkcs8(new Uint8Array(pair.privateKey));
        assert.deepEqual(new Uint8Array(key.publicKey), new Uint8Array(pair.publicKey));
        const bytes = new Uint8Array(randomBytes(100));
        const signature = new Uint8Array(key.sign(bytes));
        const verify = verifies.p256Verifier(new Uint8Array(pair.publicKey));
        assert.equal(verify(bytes, signature), true);
        bytes[0] = (bytes[0] ?? 0) ^ 1;
        assert.equal(verify(bytes, signature), false);
      }
    });
  }

  test('refuse a signature whose scalar is not reduced', () => {
    const key = node.ed25519FromSeed(new Uint8Array(32).fill(7));
    const bytes = new Uint8Array([1, 2, 3]);
    const signature = new Uint8Array(key.sign(bytes));
    // S + L: the same number to whoever does not look.
    let scalar = signature.subarray(32).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    scalar += 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
    for (let at = 32; at < 64; at += 1, scalar >>= 8n) signature[at] = Number(scalar & 255n);
    for (const [, , , verifies] of both)
      assert.equal(verifies.ed25519Verifier(new Uint8Array(key.publicKey))(bytes, signature), false);
  });
});
