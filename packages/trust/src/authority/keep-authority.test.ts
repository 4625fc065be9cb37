import assert from 'node:assert/strict';
import { createPrivateKey, randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadOrCreateSecret } from './authority-secret.ts';
import { createAuthority, renewIssuing } from './create-authority.ts';
import { loadAuthority, loadRootKey, saveAuthority, saveIssuing } from './keep-authority.ts';

const state = await mkdtemp(join(tmpdir(), 'writ-authority-'));
after(async () => await rm(state, { recursive: true }));

const random = (size: number): Buffer => randomBytes(size);
const at = { now: Date.now(), randomBytes: random };
const authority = await createAuthority(at);
const folder = join(state, 'authority');
const secretPath = join(state, 'authority.secret');
const secret = await loadOrCreateSecret(secretPath, random);
await saveAuthority(folder, authority, secret, random);

const pkcs8Of = (key: typeof authority.rootKey): string =>
  key.export({ type: 'pkcs8', format: 'der' }).toString('hex');

test('an authority that was saved is loaded as it was', async () => {
  const loaded = await loadAuthority(folder, await loadOrCreateSecret(secretPath, random));
  assert.deepEqual(loaded.rootCertificate, authority.rootCertificate);
  assert.deepEqual(loaded.issuingCertificate, authority.issuingCertificate);
  assert.equal(pkcs8Of(loaded.issuingKey), pkcs8Of(authority.issuingKey));
  assert.equal(pkcs8Of(await loadRootKey(folder, secret)), pkcs8Of(authority.rootKey));
});

test('no file of the authority holds a private key that can be read without the secret', async () => {
  const names = await readdir(folder);
  assert.deepEqual(names.toSorted(), ['issuing.json', 'root.json']);
  const scalars = [authority.rootKey, authority.issuingKey].map((key) =>
    Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url'),
  );
  for (const name of names) {
    const path = join(folder, name);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const text = await readFile(path, 'utf8');
    assert.ok(!text.includes('PRIVATE KEY'));
    const bytes = [
      Buffer.from(text),
      ...(text.match(/[A-Za-z0-9+/=]{40,}/g) ?? []).map((part) => Buffer.from(part, 'base64')),
    ];
    for (const scalar of scalars) assert.ok(bytes.every((part) => !part.includes(scalar)));
    for (const part of bytes)
      assert.throws(() => createPrivateKey({ key: part, format: 'der', type: 'pkcs8' }));
  }
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  assert.equal((await stat(secretPath)).mode & 0o777, 0o600);
});

test('another secret does not open the keys', async () => {
  await assert.rejects(loadAuthority(folder, randomBytes(32)), { code: 'authority.secret_wrong' });
});

test('an authority is never overwritten', async () => {
  const other = await createAuthority(at);
  await assert.rejects(saveAuthority(folder, other, secret, random), { code: 'authority.exists' });
  assert.deepEqual((await loadAuthority(folder, secret)).rootCertificate, authority.rootCertificate);
  assert.deepEqual((await readdir(state)).toSorted(), ['authority', 'authority.secret']);
});

test('a file that other accounts can read is refused', async () => {
  for (const path of [join(folder, 'issuing.json'), secretPath]) {
    for (const mode of [0o644, 0o640, 0o604]) {
      await chmod(path, mode);
      const load = loadOrCreateSecret(secretPath, random).then((read) => loadAuthority(folder, read));
      await assert.rejects(load, { code: 'authority.not_private' });
    }
    await chmod(path, 0o600);
  }
  await loadAuthority(folder, await loadOrCreateSecret(secretPath, random));
});

test('with the root’s file moved away leaves can be issued, and the issuing certificate not renewed', async () => {
  await rename(join(folder, 'root.json'), join(state, 'offline.json'));
  await loadAuthority(folder, secret);
  await assert.rejects(loadRootKey(folder, secret), { code: 'authority.missing' });
  await rename(join(state, 'offline.json'), join(folder, 'root.json'));
});

test('a changed file is refused', async () => {
  const path = join(folder, 'issuing.json');
  const text = await readFile(path, 'utf8');
  const file = JSON.parse(text);
  const sealed = Buffer.from(file.key.sealed, 'base64');
  sealed[0] = (sealed[0] ?? 0) ^ 1;
  const other = JSON.parse(await readFile(join(folder, 'root.json'), 'utf8'));
  for (const [code, changed] of [
    [
      'authority.secret_wrong',
      JSON.stringify({ ...file, key: { ...file.key, sealed: sealed.toString('base64') } }),
    ],
    ['authority.secret_wrong', JSON.stringify({ ...file, key: { ...file.key, sealed: '' } })],
    ['authority.unreadable', JSON.stringify({ ...file, key: other.key })],
    ['authority.unreadable', JSON.stringify({ ...file, format: 2 })],
    ['authority.unreadable', JSON.stringify({ ...file, certificate: 'x' })],
    ['authority.unreadable', text.slice(0, -20)],
    ['authority.unreadable', 'null'],
  ] as const) {
    await writeFile(path, changed, { mode: 0o600 });
    await assert.rejects(loadAuthority(folder, secret), { code }, changed.slice(0, 80));
  }
  await writeFile(path, text, { mode: 0o600 });
  await loadAuthority(folder, secret);
});

test('a renewed issuing certificate replaces the old one with its key', async () => {
  const renewed = { ...authority, ...(await renewIssuing(authority.rootCertificate, authority.rootKey, at)) };
  await saveIssuing(folder, renewed, secret, random);
  const loaded = await loadAuthority(folder, secret);
  assert.deepEqual(loaded.issuingCertificate, renewed.issuingCertificate);
  assert.deepEqual(loaded.rootCertificate, authority.rootCertificate);
});
