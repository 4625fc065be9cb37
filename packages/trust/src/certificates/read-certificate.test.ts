import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { TrustError } from '../trust-error.ts';
import { readCertificate } from './read-certificate.ts';
import { readDerElements } from './read-der.ts';
import { certify, certifyAuthorityPair, leafExtensions } from './testing/certify.ts';
import { goodLeaf, oddLeaves } from './testing/odd-leaves.ts';

const authority = await certifyAuthorityPair('Writ');
const good = await goodLeaf(authority, 'agent', 'lab-01');
const runs = Number(process.env['WRIT_FUZZ_RUNS'] ?? 10_000);

/** Either it reads, or it says so with its own code: no other error, no endless loop. */
function readsOrRefuses(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof TrustError, String(error));
    assert.equal(error.code, 'certificate.malformed');
  }
}

test('whatever bytes come, the reader reads or refuses them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      readsOrRefuses(() => readDerElements(bytes));
      readsOrRefuses(() => readCertificate(bytes));
    }),
    { numRuns: runs },
  );
});

test('a certificate with some bytes changed, cut or doubled is read or refused', () => {
  const place = fc.nat({ max: good.der.length - 1 });
  const change = fc.array(fc.tuple(place, fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(change, place, place, (changes, from, to) => {
      const bytes = Buffer.from(good.der);
      for (const [at, value] of changes) bytes[at] = value;
      readsOrRefuses(() => readCertificate(bytes));
      readsOrRefuses(() => readCertificate(bytes.subarray(0, to)));
      readsOrRefuses(() => readCertificate(Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])));
    }),
    { numRuns: runs },
  );
});

test('what is read fills the bytes exactly, and is written in one way only', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      let elements;
      try {
        elements = readDerElements(bytes);
      } catch {
        return;
      }
      const again = elements.flatMap(({ tag, content }) => {
        const { length } = content;
        return [tag, ...(length < 0x80 ? [length] : [0x81, length]), ...content];
      });
      assert.deepEqual(again, [...bytes]);
    }),
    { numRuns: runs },
  );
});

test('the reader says of each certificate what Node says', async () => {
  const rows = [...(await oddLeaves(authority, 'agent')), ...(await oddLeaves(authority, 'server'))];
  const certificates = [good, authority.root, authority.issuing, ...rows.flatMap(({ chain }) => chain)];
  for (const { der } of certificates) {
    const ours = readCertificate(der);
    const theirs = new X509Certificate(der);
    assert.equal(ours.serial, theirs.serialNumber.toLowerCase().padStart(32, '0'));
    assert.equal(ours.notBefore, theirs.validFromDate.getTime());
    assert.equal(ours.notAfter, theirs.validToDate.getTime());
    // Node says no to an authority whose key usage is missing, too.
    if (theirs.ca) assert.equal(ours.basicConstraints?.isAuthority, true);
    assert.ok(ours.publicKeySpki.equals(theirs.publicKey.export({ type: 'spki', format: 'der' })));
  }
});

for (const [what, hex] of [
  ['a length that is not definite', '3080020100' + '0000'],
  ['a length in a longer form than needed', '30810302' + '0100'],
  ['a length of three bytes', '3083010000'],
  ['an end inside a length', '3082'],
  ['a tag of several bytes', '1f8101020100'],
  ['an element longer than what holds it', '3004020301'],
]) {
  test(`refused: ${what}`, () => {
    assert.throws(() => readDerElements(Buffer.from(hex ?? '', 'hex')), { code: 'certificate.malformed' });
  });
}

test('a certificate with anything before, after or doubled inside is refused', () => {
  const der = Buffer.from(good.der);
  const extra = Buffer.from('0500', 'hex');
  for (const bytes of [Buffer.concat([der, extra]), Buffer.concat([extra, der]), Buffer.concat([der, der])]) {
    assert.throws(() => readCertificate(bytes), { code: 'certificate.malformed' });
  }
});

test('a certificate with something after its signature, inside it, is refused', () => {
  const bytes = Buffer.concat([good.der, Buffer.from('0500', 'hex')]);
  assert.equal(bytes.readUInt16BE(0), 0x3082);
  bytes.writeUInt16BE(bytes.readUInt16BE(2) + 2, 2);
  assert.throws(() => readCertificate(bytes), { code: 'certificate.malformed' });
});

test('a certificate that has an extension twice is refused', async () => {
  const once = leafExtensions('writ://x');
  const twice = await certify({ subject: 'CN=x', issuer: null, extensions: [...once, ...once] });
  assert.throws(() => readCertificate(twice.der), { code: 'certificate.malformed' });
});
