import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { checkLeaf } from '../certificates/check-leaf.ts';
import { createTlsKey } from '../certificates/p256-key.ts';
import { readCertificate } from '../certificates/read-certificate.ts';
import { pemOf } from '../certificates/tls-options.ts';
import { createAuthority, renewIssuing } from './create-authority.ts';
import { issueLeaf, type LeafRequest } from './issue-leaf.ts';
import { leafLifeMs, leafTimes } from './leaf-times.ts';
import { newSerial } from './new-serial.ts';

const run = promisify(execFile);
const folder = await mkdtemp(join(tmpdir(), 'writ-authority-'));
after(async () => await rm(folder, { recursive: true }));

const cluster = 'w'.repeat(52);
const at = { now: Date.now(), randomBytes: (size: number) => randomBytes(size) };
const authority = await createAuthority(at);
const nobodyElse = (): boolean => false;
const { publicKeySpki } = createTlsKey();

function request(more: Partial<LeafRequest> = {}): LeafRequest {
  const role = more.role ?? 'agent';
  return {
    ...leafTimes(role, at.now),
    publicKeySpki,
    cluster,
    role,
    name: 'lab-01',
    dnsNames: [],
    ipAddresses: [],
    serial: newSerial(at.randomBytes),
    ...more,
  };
}

const count = Number(process.env['WRIT_ISSUED_CERTIFICATES'] ?? 250);

test(`${count} issued certificates keep the policy, and no serial number comes twice`, async () => {
  const serials = new Set<string>();
  let highBits = 0;
  for (let index = 0; index < count; index += 1) {
    const { certificate, identity } = await issueLeaf(
      authority,
      request({ name: `lab-${index}` }),
      nobodyElse,
    );
    const leaf = readCertificate(certificate);
    assert.deepEqual(leaf.names, [{ kind: 'uri', value: `writ://${cluster}/agent/lab-${index}` }]);
    assert.deepEqual(leaf.basicConstraints, { critical: true, isAuthority: false, pathLength: null });
    assert.equal(leaf.keyUsage?.bits.toString('hex'), '0780');
    assert.deepEqual(leaf.extendedKeyUsage, ['2b06010505070301', '2b06010505070302']);
    assert.ok(at.now - leaf.notBefore <= 61_000 && leaf.notBefore <= at.now);
    assert.ok(leaf.notAfter - at.now <= leafLifeMs.agent);
    assert.equal(leaf.serial, identity.serial);
    assert.match(leaf.serial, /^[0-9a-f]{32}$/);
    serials.add(leaf.serial);
    highBits += Number(leaf.serial >= '8');
  }
  assert.equal(serials.size, count);
  // Half of all numbers have their highest bit set when all 128 bits are random.
  assert.ok(highBits > count * 0.35 && highBits < count * 0.65, `${highBits} of ${count}`);
});

test('openssl accepts the chain for both purposes and shows what was asked for', async () => {
  const { certificate } = await issueLeaf(
    authority,
    request({
      role: 'server',
      name: 'main',
      dnsNames: ['ana-pc.local', 'localhost'],
      ipAddresses: ['127.0.0.1', '::1'],
    }),
    nobodyElse,
  );
  const path = (name: string): string => join(folder, name);
  await writeFile(path('root.pem'), pemOf([authority.rootCertificate]).join(''));
  await writeFile(path('issuing.pem'), pemOf([authority.issuingCertificate]).join(''));
  await writeFile(path('leaf.pem'), pemOf([certificate]).join(''));
  for (const purpose of ['sslserver', 'sslclient']) {
    const chain = ['-CAfile', path('root.pem'), '-untrusted', path('issuing.pem'), path('leaf.pem')];
    const { stdout } = await run('openssl', ['verify', '-x509_strict', '-purpose', purpose, ...chain]);
    assert.match(stdout, /leaf\.pem: OK/);
  }
  const { stdout: leaf } = await run('openssl', ['x509', '-in', path('leaf.pem'), '-noout', '-text']);
  for (const expected of [
    'Signature Algorithm: ecdsa-with-SHA256',
    'NIST CURVE: P-256',
    'X509v3 Basic Constraints: critical\n                CA:FALSE',
    'X509v3 Key Usage: critical\n                Digital Signature\n',
    'TLS Web Server Authentication, TLS Web Client Authentication\n',
    `URI:writ://${cluster}/server/main, DNS:ana-pc.local, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1\n`,
  ]) {
    assert.ok(leaf.includes(expected), `${expected} is not in\n${leaf}`);
  }
  const { stdout: issuing } = await run('openssl', ['x509', '-in', path('issuing.pem'), '-noout', '-text']);
  assert.ok(issuing.includes('CA:TRUE, pathlen:0'), issuing);
  const { stdout: root } = await run('openssl', ['x509', '-in', path('root.pem'), '-noout', '-text']);
  assert.ok(root.includes('CA:TRUE, pathlen:1'), root);
});

test('leaves of a renewed issuing certificate come from the same root', async () => {
  const renewed = { ...authority, ...(await renewIssuing(authority.rootCertificate, authority.rootKey, at)) };
  assert.notDeepEqual(renewed.issuingCertificate, authority.issuingCertificate);
  const { certificate } = await issueLeaf(renewed, request(), nobodyElse);
  const identity = checkLeaf([certificate, renewed.issuingCertificate], {
    cluster,
    roles: ['agent'],
    now: at.now,
    roots: [authority.rootCertificate],
    issuing: [],
    mayActNow: () => true,
  });
  assert.equal(identity.name, 'lab-01');
});

const spkiOf = (key: ReturnType<typeof createPublicKey>): Buffer =>
  key.export({ type: 'spki', format: 'der' });
const offCurve = Uint8Array.from(publicKeySpki);
offCurve[90] = (offCurve[90] ?? 0) ^ 1;

for (const [what, spki] of [
  ['an RSA key', spkiOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey)],
  ['a P-384 key', spkiOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey)],
  ['an Ed25519 key', spkiOf(generateKeyPairSync('ed25519').publicKey)],
  ['a point that is not on the curve', offCurve],
  ['a point cut short', publicKeySpki.slice(0, -1)],
  ['a whole certificate', authority.rootCertificate],
  ['nothing', new Uint8Array()],
] as const) {
  test(`no certificate is issued for ${what}`, async () => {
    await assert.rejects(issueLeaf(authority, request({ publicKeySpki: spki }), nobodyElse), {
      code: 'certificate.key_type',
    });
  });
}

test('no certificate is issued for a key that another name has, or that the authority has', async () => {
  const asked: [string, string][] = [];
  const taken = issueLeaf(authority, request(), (digest, uri) => {
    asked.push([digest, uri]);
    return true;
  });
  await assert.rejects(taken, { code: 'authority.key_taken' });
  const { identity } = await issueLeaf(authority, request(), nobodyElse);
  assert.deepEqual(asked, [[identity.publicKeyDigest, `writ://${cluster}/agent/lab-01`]]);
  for (const own of [authority.rootKey, authority.issuingKey]) {
    const asAgent = request({ publicKeySpki: spkiOf(createPublicKey(own)) });
    await assert.rejects(issueLeaf(authority, asAgent, nobodyElse), { code: 'authority.key_taken' });
  }
});

const day = 86_400_000;
const times = leafTimes('agent', at.now);
for (const [what, code, more] of [
  ['ten years', 'authority.lifetime', { notAfter: times.notAfter + 3650 * day }],
  ['a second more than a day', 'authority.lifetime', { notAfter: times.notAfter + 1000 }],
  ['no time', 'authority.lifetime', { notAfter: times.notBefore }],
  ['a time that is no number', 'authority.lifetime', { notAfter: Number.NaN }],
  [
    'a time before the authority',
    'authority.lifetime',
    { notBefore: times.notBefore - day, notAfter: at.now - (at.now % 1000) },
  ],
  ['a name with a slash', 'certificate.uri_malformed', { name: 'a/b' }],
  ['a name in upper case', 'certificate.uri_malformed', { name: 'Lab' }],
  ['an empty name', 'certificate.uri_malformed', { name: '' }],
  ['a cluster id cut short', 'certificate.uri_malformed', { cluster: 'w'.repeat(51) }],
  ['a serial number of zeros', 'authority.serial', { serial: new Uint8Array(16) }],
  ['a short serial number', 'authority.serial', { serial: randomBytes(8) }],
  ['a host name for an agent', 'authority.names', { dnsNames: ['bank.example'] }],
  ['an address for an agent', 'authority.names', { ipAddresses: ['127.0.0.1'] }],
  ['a wildcard', 'authority.names', { role: 'server', dnsNames: ['*.example'] }],
  ['a host name with a NUL', 'authority.names', { role: 'server', dnsNames: ['a\0.example'] }],
  ['an address with a zone', 'authority.names', { role: 'server', ipAddresses: ['fe80::1%eth0'] }],
] as const satisfies readonly (readonly [string, string, Partial<LeafRequest>])[]) {
  test(`no certificate is issued with ${what}`, async () => {
    await assert.rejects(issueLeaf(authority, request(more), nobodyElse), { code });
  });
}

test('no leaf outlasts the certificate that issues it', async () => {
  const end = readCertificate(authority.issuingCertificate).notAfter;
  const late = request(leafTimes('agent', end - 3_600_000));
  await assert.rejects(issueLeaf(authority, late, nobodyElse), { code: 'authority.lifetime' });
});
