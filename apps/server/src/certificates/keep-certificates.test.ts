import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createTlsKey } from '@writ/trust/certificates';
import type { StartError } from '../server-error.ts';
import { statePaths } from '../state-paths.ts';
import { keepCertificates } from './keep-certificates.ts';

const clock = { now: () => Date.now(), monotonic: () => performance.now(), after: () => () => {} };
const randomBytes = (size: number) => crypto.getRandomValues(new Uint8Array(size));

const CLUSTER = `${'a'.repeat(51)}q`;

async function openState(t: TestContext) {
  const state = await mkdtemp(join(tmpdir(), 'writ-certificates-'));
  t.after(() => rm(state, { recursive: true, force: true }));
  const paths = statePaths(state);
  await mkdir(paths.folder, { recursive: true });
  return {
    paths,
    open: async (cluster: string | null) => {
      const certificates = await keepCertificates(paths, clock, randomBytes, cluster);
      await certificates.kept;
      return certificates;
    },
  };
}

test('a server without its authority makes one before it is claimed, and never for a cluster that there is', async (t) => {
  const { paths, open } = await openState(t);
  await assert.rejects(open(CLUSTER), { code: 'authority.missing' });
  assert.deepEqual(await readdir(paths.folder), [], 'nothing was made');

  const first = await open(null);
  await rm(paths.authority, { recursive: true });
  assert.notDeepEqual(
    (await open(null)).root,
    first.root,
    'nobody has claimed it: what is gone is made anew',
  );

  const { root } = await open(CLUSTER);
  await (await open(CLUSTER)).ownLeaf(CLUSTER, 'server', { dnsNames: [], ipAddresses: [] });
  for (const lost of [paths.authority, paths.authorityKey, paths.authoritySecret]) {
    await rename(lost, `${paths.folder}-backup`);
    const before = await readdir(paths.folder, { recursive: true });
    await assert.rejects(open(CLUSTER), (error: StartError) => {
      assert.equal(error.code, 'authority.missing');
      assert.match(error.message, /is not there, and this server belongs to the cluster .* from a backup/);
      return true;
    });
    assert.deepEqual(await readdir(paths.folder, { recursive: true }), before);
    await rename(`${paths.folder}-backup`, lost);
  }
  assert.deepEqual((await open(CLUSTER)).root, root);
});

test('an authority that goes away while its server runs is not replaced by another', async (t) => {
  const { paths, open } = await openState(t);
  await open(null);
  const certificates = await open(CLUSTER);
  await rename(paths.authority, `${paths.folder}-backup`);
  const asked = { cluster: CLUSTER, name: 'lab-01', publicKeySpki: createTlsKey().publicKeySpki };
  await assert.rejects(certificates.issueAgentLeaf(asked), { code: 'authority.missing' });
  await rename(`${paths.folder}-backup`, paths.authority);
  assert.match((await certificates.issueAgentLeaf(asked)).chainPem, /BEGIN CERTIFICATE/);
});

test('an authority that could not be opened is opened when it can be, without a restart', async (t) => {
  const { paths, open } = await openState(t);
  await open(null);
  const certificates = await open(CLUSTER);
  const ask = async () =>
    await certificates.issueAgentLeaf({
      cluster: CLUSTER,
      name: 'lab-01',
      publicKeySpki: createTlsKey().publicKeySpki,
    });
  const whole = await readFile(paths.authoritySecret);
  await writeFile(paths.authoritySecret, 'damaged');
  await assert.rejects(ask(), { code: 'authority.unreadable' });
  await writeFile(paths.authoritySecret, whole);
  assert.match((await ask()).chainPem, /BEGIN CERTIFICATE/);
});
