import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Client } from '@writ/client';
import { writeOutputs } from '@writ/client/node';
import { digestOf } from '@writ/trust/digest';
import { explainError } from './explain-error.ts';

const base = mkdtempSync(join(tmpdir(), 'writ-target-'));
after(() => rmSync(base, { recursive: true, force: true }));

const bytes = Buffer.alloc(1024 * 1024, 'x');
const outputs = [{ path: 'made/file', mode: 'file', digest: digestOf(bytes), size: bytes.length }] as const;
const client = {
  readFile: async () => new Blob([bytes]).stream(),
} as unknown as Client;

/** What `--dir` with that folder comes to. */
async function endOf(folder: string) {
  const writing = { signal: new AbortController().signal, wait: () => Promise.resolve(), tag: 'test' };
  try {
    return await writeOutputs(client, outputs, folder, writing);
  } catch (error) {
    const { code, message, next, exit } = explainError(error);
    assert.equal(exit, 1);
    return `${code}: ${message} → ${next}`;
  }
}

describe('outputs that are to be written', { timeout: 30_000, skip: process.platform !== 'linux' }, () => {
  it('where the file system takes no folder, come to an end that says so', async () => {
    for (const folder of ['/proc/x', '/proc/x/y'])
      assert.match(
        String(await endOf(folder)),
        /^system: No folder can be made at \/proc\/x: the file system there takes none\. → Move .* choose another folder with --dir\.$/,
      );
  });

  it('where a file or a folder is in the way, name it', async () => {
    writeFileSync(join(base, 'file'), '');
    mkdirSync(join(base, 'taken/made/file'), { recursive: true });
    writeFileSync(join(base, 'taken/made/file/in'), '');
    symlinkSync('loop', join(base, 'loop'));
    assert.match(String(await endOf(join(base, 'file'))), /^system: .*\/file cannot be a folder: a file is/);
    assert.match(
      String(await endOf(join(base, 'file/b'))),
      /^system: .*\/file\/b cannot be a folder: a file/,
    );
    assert.match(
      String(await endOf(join(base, 'taken'))),
      /^system: .*made\/file is a folder, and a file was/,
    );
    assert.match(String(await endOf(join(base, 'loop'))), /^system: .*ELOOP/);
  });

  it(
    'on a full disk and on one that cannot be written, say so and leave nothing',
    {
      skip: process.geteuid?.() !== 0 && 'needs root',
    },
    async () => {
      const disk = join(base, 'disk');
      mkdirSync(disk);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
      try {
        assert.match(String(await endOf(disk)), /^system: The disk of .* is full\. → Make room/);
        assert.match(String(await endOf(disk)), /is full/, 'the first one left nothing behind');
        execFileSync('mount', ['-o', 'remount,ro', disk]);
        assert.match(String(await endOf(disk)), /^system: .* lies on a disk that cannot be written\. → /);
      } finally {
        execFileSync('umount', ['-l', disk]);
      }
    },
  );
});
