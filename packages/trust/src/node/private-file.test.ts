import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { writePrivateFile } from './private-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'writ-private-'));
after(() => rmSync(folder, { recursive: true, force: true }));

describe('writing a private file', () => {
  it('leaves the last of several texts that are written at once, whole, and nothing beside it', async () => {
    const path = join(folder, 'several', 'file.json');
    const texts = [30_000, 5, 20_000, 1, 10_000].map((length, at) => String(at).repeat(length));
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(texts.map((text) => writePrivateFile(path, text)));
      assert.equal(readFileSync(path, 'utf8'), texts.at(-1));
    }
    assert.deepEqual(readdirSync(join(folder, 'several')), ['file.json']);
  });

  it('goes on after a write that failed', async () => {
    const path = join(folder, 'failed');
    const ends = await Promise.allSettled([
      writePrivateFile(path, { not: 'bytes' } as unknown as string),
      writePrivateFile(path, 'second'),
    ]);
    assert.deepEqual(
      ends.map(({ status }) => status),
      ['rejected', 'fulfilled'],
    );
    assert.equal(readFileSync(path, 'utf8'), 'second');
  });
});
