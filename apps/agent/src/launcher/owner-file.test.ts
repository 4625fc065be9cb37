import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { LauncherError } from './launcher-error.ts';
import { readOwnerFile } from './owner-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'writ-owner-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const me = process.geteuid?.() ?? 0;
const path = join(folder, 'owner.json');

const good = {
  format: 1,
  name: 'a-1',
  slots: 2,
  profiles: ['strict'],
  firstUid: null,
  slotsFolder: '/s',
  cacheFolder: '/c',
  node: '/n',
  network: 'never',
  most: { wallMs: 1, memoryBytes: 1, pids: 1, diskBytes: 1, nofile: 1, logBytes: 1, outputsBytes: 1 },
};

function write(value: unknown, mode = 0o600): void {
  rmSync(path, { force: true });
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
  chmodSync(path, mode);
}

const isRefused = (error: unknown): boolean =>
  error instanceof LauncherError && error.code === 'launcher.owner_file';

test('an owner file that only its owner could write is read', () => {
  write(good);
  assert.deepEqual(readOwnerFile(path, me), good);
});

test('one that others could write, link or own is refused', () => {
  write(good, 0o620);
  assert.throws(() => readOwnerFile(path, me), isRefused);
  write(good);
  assert.throws(() => readOwnerFile(path, me + 1), isRefused);
  assert.throws(() => readOwnerFile('owner.json', me), isRefused);
  symlinkSync(path, join(folder, 'link'));
  assert.throws(() => readOwnerFile(join(folder, 'link'), me));
  const open = join(folder, 'open');
  mkdirSync(open);
  writeFileSync(join(open, 'owner.json'), JSON.stringify(good), { mode: 0o600 });
  chmodSync(open, 0o777);
  assert.throws(() => readOwnerFile(join(open, 'owner.json'), me), isRefused);
  if (me !== 0) return;
  chmodSync(open, 0o755);
  chownSync(open, 12_345, 12_345);
  assert.throws(() => readOwnerFile(join(open, 'owner.json'), me), isRefused);
});

const faults: ReadonlyArray<readonly [what: string, value: unknown]> = [
  ['no JSON', '{'],
  ['another format', { ...good, format: 2 }],
  ['an unknown field', { ...good, uid: 0 }],
  ['a name that is a path', { ...good, name: '../x' }],
  ['root as account', { ...good, firstUid: 0 }],
  ['no slots', { ...good, slots: 0 }],
  ['more slots than accounts', { ...good, slots: 63 }],
  ['an unknown profile', { ...good, profiles: ['none'] }],
  ['a relative folder', { ...good, slotsFolder: 's' }],
  ['another network', { ...good, network: 'yes' }],
  ['a limit of nothing', { ...good, most: { ...good.most, pids: 0 } }],
  ['a limit too many', { ...good, most: { ...good.most, more: 1 } }],
];

for (const [what, value] of faults)
  test(`an owner file with ${what} is refused`, () => {
    write(value);
    assert.throws(() => readOwnerFile(path, me), isRefused);
  });
