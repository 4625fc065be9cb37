import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { holdFolder } from './hold-folder.ts';

const MODULE = new URL('hold-folder.ts', import.meta.url).href;

test('a state folder is held by one at a time, and free again after a release', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'writ-hold-'));
  const hold = holdFolder(join(folder, 'state'));
  assert.equal((await stat(join(folder, 'state'))).mode & 0o777, 0o700);
  assert.throws(() => holdFolder(join(folder, 'state')), { code: 'store.in_use' });
  hold.release();
  holdFolder(join(folder, 'state')).release();
  await rm(folder, { recursive: true });
});

test('another process cannot take a held folder, and kill -9 frees it at once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'writ-hold-'));
  const code = `import { holdFolder } from ${JSON.stringify(MODULE)};
    globalThis.hold = holdFolder(process.argv[1]); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', code, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  assert.throws(() => holdFolder(folder), { code: 'store.in_use' });
  child.kill('SIGKILL');
  await once(child, 'exit');
  holdFolder(folder).release();
  await rm(folder, { recursive: true });
});

test('a folder that cannot be written is named in words', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'writ-hold-'));
  await import('node:fs/promises').then(({ mkdir }) => mkdir(join(folder, 'lock.db')));
  assert.throws(() => holdFolder(folder), { code: 'store.cannot_open' });
  await rm(folder, { recursive: true });
});
