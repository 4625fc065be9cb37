import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrustError } from '../trust-error.ts';
import { checkLeaf, type PeerExpectation } from './check-leaf.ts';
import type { Role } from './leaf-uri.ts';
import { isLeafCurrent } from './peer-identity.ts';
import { authorityExtensions, certify, certifyAuthorityPair } from './testing/certify.ts';
import { cluster, goodLeaf, oddLeaves, revokedSerials } from './testing/odd-leaves.ts';

const authority = await certifyAuthorityPair('Writ');

function expectation(role: Role): PeerExpectation {
  return {
    cluster,
    roles: [role],
    now: Date.now(),
    roots: [authority.root.der],
    issuing: [authority.issuing.der],
    mayActNow: (serial) => revokedSerials.get(serial) ?? true,
  };
}

for (const role of ['agent', 'server'] as const) {
  const rows = await oddLeaves(authority, role);

  test(`a right certificate of role ${role} says who its holder is`, async () => {
    const leaf = await goodLeaf(authority, role, 'lab-01');
    const identity = checkLeaf([leaf.der], expectation(role));
    assert.deepEqual(
      { cluster: identity.cluster, role: identity.role, name: identity.name },
      { cluster, role, name: 'lab-01' },
    );
    assert.ok(isLeafCurrent(identity, identity.notAfter));
    assert.ok(!isLeafCurrent(identity, identity.notAfter + 1));
    assert.ok(!isLeafCurrent(identity, identity.notBefore - 1));
  });

  for (const { title, code, chain } of rows) {
    test(`where ${role} is expected, refused as ${code}: ${title}`, () => {
      assert.throws(
        () =>
          checkLeaf(
            chain.map(({ der }) => der),
            expectation(role),
          ),
        hasCode(code),
      );
    });
  }
}

test('a right certificate is refused where another name is dialed', async () => {
  const leaf = await goodLeaf(authority, 'agent', 'lab-01');
  const expected = { ...expectation('agent'), name: 'lab-02' };
  assert.throws(() => checkLeaf([leaf.der], expected), hasCode('certificate.name_wrong'));
});

test('nobody is vouched for where no root is listed', async () => {
  const leaf = await goodLeaf(authority, 'agent', 'lab-01');
  const expected = { ...expectation('agent'), roots: [] };
  assert.throws(() => checkLeaf([leaf.der], expected), hasCode('certificate.issuer_unknown'));
});

test('the issuing certificate listed as a root vouches for nobody', async () => {
  const leaf = await goodLeaf(authority, 'agent', 'lab-01');
  const expected = { ...expectation('agent'), roots: [authority.issuing.der] };
  assert.throws(() => checkLeaf([leaf.der], expected), hasCode('certificate.issuer_unknown'));
});

test('a listed root that is none, or of another name than its issuing certificate says, vouches for nobody', async () => {
  const { root } = authority;
  const short = await certify({ subject: root.subject, issuer: null, extensions: authorityExtensions(0) });
  for (const [listed, signer] of [
    [short, short],
    [root, { ...root, subject: 'CN=Other root' }],
  ] as const) {
    const issuing = await certify({
      subject: 'CN=Odd issuing',
      issuer: signer,
      extensions: authorityExtensions(0),
    });
    const leaf = await goodLeaf({ root, issuing }, 'agent', 'lab-01');
    const expected = { ...expectation('agent'), roots: [listed.der] };
    assert.throws(() => checkLeaf([leaf.der, issuing.der], expected), hasCode('certificate.issuer_unknown'));
  }
});

test('a certificate with one bit of its signature changed is refused', async () => {
  const leaf = await goodLeaf(authority, 'agent', 'lab-01');
  const changed = Uint8Array.from(leaf.der);
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  assert.throws(() => checkLeaf([changed], expectation('agent')), hasCode('certificate.issuer_unknown'));
});

test('an issuing certificate that is known here is trusted no more than one that is presented', async () => {
  const stranger = await certifyAuthorityPair('Stranger');
  const leaf = await goodLeaf(stranger, 'agent', 'lab-01');
  const expected = { ...expectation('agent'), issuing: [stranger.issuing.der] };
  assert.throws(() => checkLeaf([leaf.der], expected), hasCode('certificate.issuer_unknown'));
});

function hasCode(code: string) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof TrustError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  };
}
