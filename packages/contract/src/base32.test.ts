import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeBase32, encodeBase32 } from './base32.ts';
import { decodeBase64, decodeBase64Url, encodeBase64, encodeBase64Url } from './base64.ts';

const bytes = fc.uint8Array({ maxLength: 80 });

test('base32 follows RFC 4648, in lower case and without padding', () => {
  const vectors = {
    '': '',
    f: 'my',
    fo: 'mzxq',
    foo: 'mzxw6',
    foob: 'mzxw6yq',
    fooba: 'mzxw6ytb',
    foobar: 'mzxw6ytboi',
  };
  for (const [plain, text] of Object.entries(vectors))
    assert.equal(encodeBase32(new TextEncoder().encode(plain)), text);
});

test('each text form gives back what went in', () => {
  fc.assert(
    fc.property(bytes, (value) => {
      assert.deepEqual(decodeBase32(encodeBase32(value)), value);
      assert.deepEqual(decodeBase64(encodeBase64(value)), value);
      assert.deepEqual(decodeBase64Url(encodeBase64Url(value)), value);
    }),
  );
});

test('each value has one spelling only', () => {
  const letters = fc.string({ unit: fc.constantFrom(...'abcAQgw234567+/=_- \n'), maxLength: 12 });
  fc.assert(
    fc.property(letters, (text) => {
      const from32 = decodeBase32(text);
      if (from32) assert.equal(encodeBase32(from32), text);
      const from64 = decodeBase64(text);
      if (from64) assert.equal(encodeBase64(from64), text);
      const fromUrl = decodeBase64Url(text);
      if (fromUrl) assert.equal(encodeBase64Url(fromUrl), text);
    }),
    { numRuns: 5000 },
  );
  assert.equal(decodeBase64('QR=='), undefined, 'free bits');
  assert.equal(decodeBase64('QQ'), undefined, 'no padding');
  assert.equal(decodeBase32('mzxr'), undefined, 'free bits');
});
