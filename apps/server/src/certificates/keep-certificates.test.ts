import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTlsKey } from '@writ/trust/certificates';
import { statePaths } from '../state-paths.ts';
import { keepCertificates } from './keep-certificates.ts';

const clock = { now: () => Date.now(), monotonic: () => performance.now(), after: () => () => {} };
const randomBytes = (size: number) => crypto.getRandomValues(new Uint8Array(size));

test('an authority that could not be opened is opened when it can be, without a restart', async (t) => {
  const state = await mkdtemp(join(tmpdir(), 'writ-certificates-'));
  t.after(() => rm(state, { recursive: true, force: true }));
  const paths = statePaths(state);
  await mkdir(paths.folder, { recursive: true });
  await (
    await keepCertificates(paths, clock, randomBytes)
  ).kept;

  const certificates = await keepCertificates(paths, clock, randomBytes);
  const ask = async () =>
    await certificates.issueAgentLeaf({
      cluster: `${'a'.repeat(51)}q`,
      name: 'lab-01',
      publicKeySpki: createTlsKey().publicKeySpki,
    });
  const whole = await readFile(paths.authoritySecret);
  await writeFile(paths.authoritySecret, 'damaged');
  await assert.rejects(ask(), { code: 'authority.unreadable' });
  await writeFile(paths.authoritySecret, whole);
  assert.match((await ask()).chainPem, /BEGIN CERTIFICATE/);
});
