import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { digestOf } from '@writ/trust/digest';
import { readShortLog } from './read-log.ts';
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
  assert.deepEqual(await tail.finish(MOST), { digest: digestOf(kept), size: MOST });
  assert.equal(got, kept);
});

/** A server that appends, as it must: what it has stays. The first `failures` answers are lost. */
function openLog(path: string, failures = 0) {
  let got = '';
  let lost = 0;
  const tail = tailLog({
    path,
    mostBytes: MOST,
    send: async (offset, size, bytes) => {
      const text = (await buffer(bytes)).toString();
      assert.equal(text.length, size);
      assert.equal(got.slice(offset), text.slice(0, got.length - offset), 'a repeat is what it was');
      got = got.slice(0, offset) + text;
      if ((lost += 1) <= failures) throw new Error('the answer was lost');
    },
  });
  return { tail, got: () => got };
}

test('of a log that the job emptied after a part was sent, the receipt is about what was sent', async () => {
  const path = join(folder, 'emptied');
  const { tail, got } = openLog(path);
  writeFileSync(path, 'a long first line\n');
  await tail.push();
  writeFileSync(path, 'second\n');
  const said = 'a long first line\nsecond\n';
  assert.deepEqual(await tail.finish(7), { digest: digestOf(said), size: said.length });
  assert.equal(got(), said);
});

test('a log that was emptied for good is still what was sent', async () => {
  const path = join(folder, 'gone');
  const { tail, got } = openLog(path);
  writeFileSync(path, 'once said\n');
  await tail.push();
  writeFileSync(path, '');
  assert.deepEqual(await tail.finish(0), { digest: digestOf('once said\n'), size: 10 });
  assert.equal(got(), 'once said\n');
});

test('what was not known to have arrived is sent again as it was, whatever became of the file', async () => {
  const path = join(folder, 'repeated');
  const { tail, got } = openLog(path, 2);
  writeFileSync(path, 'first\n');
  await assert.rejects(tail.push());
  assert.equal(tail.taken, 6);
  writeFileSync(path, 'other text\n');
  await assert.rejects(tail.push());
  const { digest, size } = await tail.finish(11);
  assert.deepEqual([digest, size], [digestOf(got()), got().length]);
  assert.ok(got().startsWith('first\n'));
});

test('once stopped, what is under way does not read on: the file may be that of another', async () => {
  const path = join(folder, 'stopped');
  const { tail, got } = openLog(path);
  writeFileSync(path, '');
  const under = tail.push();
  tail.stop();
  writeFileSync(path, 'of somebody else\n');
  await under;
  await tail.push();
  assert.deepEqual([got(), tail.taken], ['', 0]);
});

test('a short log is cut too where the order allows less', () => {
  const path = join(folder, 'short');
  writeFileSync(path, 'twelve bytes');
  const inline = Buffer.from('twelve').toString('base64');
  assert.deepEqual(readShortLog(path, 6), { digest: digestOf('twelve'), size: 6, inline });
  assert.equal(readShortLog(path, 0).size, 0);
});
