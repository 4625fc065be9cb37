import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { keepLease } from './kept-lease.ts';

const folder = mkdtempSync(join(tmpdir(), 'writ-lease-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('a lease that was asked for once holds until another is asked for', () => {
  const file = join(folder, 'lease-seconds');
  assert.equal(keepLease(file, undefined, 30), 30);
  assert.equal(keepLease(file, 2.5, 30), 2.5);
  assert.equal(keepLease(file, undefined, 30), 2.5);
  assert.equal(keepLease(file, 30, 30), 30);
  assert.equal(keepLease(file, undefined, 60), 30);
});

test('a damaged file is as none', () => {
  const file = join(folder, 'damaged');
  for (const text of ['', '\n', 'soon\n', '-1\n', '1e9\n', '0\n']) {
    writeFileSync(file, text);
    assert.equal(keepLease(file, undefined, 30), 30, JSON.stringify(text));
  }
});
