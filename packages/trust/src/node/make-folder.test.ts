import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { makeFolder } from './make-folder.ts';

const base = mkdtempSync(join(tmpdir(), 'writ-folder-'));
after(() => rmSync(base, { recursive: true, force: true }));

describe('making a folder', () => {
  it('makes those above it as well, with its mode, and says whether it was there', async () => {
    const folder = join(base, 'a/b/c');
    assert.deepEqual([await makeFolder(folder, 0o700), await makeFolder(folder, 0o700)], [true, false]);
    for (const made of ['a', 'a/b', 'a/b/c']) assert.equal(statSync(join(base, made)).mode & 0o777, 0o700);
    symlinkSync(folder, join(base, 'link'));
    assert.equal(await makeFolder(join(base, 'link')), false);
    assert.equal(await makeFolder(join(base, 'link/d/')), true);
  });

  it('is done by several at once', async () => {
    const all = Array.from({ length: 20 }, (_none, at) => makeFolder(join(base, 'at/once', String(at % 3))));
    assert.equal((await Promise.all(all)).filter(Boolean).length, 3);
  });

  it(
    'comes to an end where a file is in the way, or the file system takes no folders',
    { timeout: 10_000 },
    async () => {
      writeFileSync(join(base, 'file'), '');
      await assert.rejects(makeFolder(join(base, 'file')), { code: 'EEXIST' });
      await assert.rejects(makeFolder(join(base, 'file/below/it')), { code: 'ENOTDIR' });
      if (process.platform !== 'linux') return;
      for (const folder of ['/proc/x', '/proc/x/y/z', '/proc/self/fdinfo/x'])
        await assert.rejects(makeFolder(folder), { code: 'ENOENT', syscall: 'mkdir' }, folder);
    },
  );
});
