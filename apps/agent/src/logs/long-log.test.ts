import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { digestOf } from '@writ/trust/digest';
import { readLongLog, readShortLog } from './read-log.ts';
import { tailLog } from './tail-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'writ-log-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const MOST = 100_000;

test('of a log that is longer than the order allows the allowed beginning is sent, and the receipt is about that', async () => {
  const path = join(folder, 'out');
  const text = 'all work and no play\n'.repeat(10_000);
  const kept = text.slice(0, MOST);
  let got = '';
  const tail = tailLog({
    path,
    mostBytes: MOST,
    send: async (offset, size, bytes) => {
      assert.equal(offset, got.length);
      got += (await buffer(bytes)).toString();
      assert.equal(got.length, offset + size);
    },
  });
  writeFileSync(path, text.slice(0, 60_000));
  await tail.push();
  appendFileSync(path, text.slice(60_000));
  await tail.push();
  const { size } = readShortLog(path, MOST);
  await tail.push(size);
  assert.equal(got, kept);
  assert.deepEqual(await readLongLog(path, size), { digest: digestOf(kept), size: MOST, inline: null });
});

test('a short log is cut too where the order allows less', () => {
  const path = join(folder, 'short');
  writeFileSync(path, 'twelve bytes');
  const inline = Buffer.from('twelve').toString('base64');
  assert.deepEqual(readShortLog(path, 6), { digest: digestOf('twelve'), size: 6, inline });
  assert.equal(readShortLog(path, 0).size, 0);
});
