import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, beforeEach, describe, it } from 'node:test';
import type { InputFile } from '@writ/contract';
import { digestOf } from '@writ/trust/digest';
import { openBlobCache } from './blob-cache.ts';

const base = mkdtempSync(join(tmpdir(), 'writ-cache-'));
let folder = '';
let count = 0;
let asked: string[] = [];
let served = new Map<string, Buffer>();
let now = 0;
let needed: InputFile[] = [];

beforeEach(() => {
  folder = join(base, String((count += 1)));
  asked = [];
  needed = [];
  served = new Map();
  now = 1_800_000_000_000;
});
after(() => rmSync(base, { recursive: true, force: true }));

const open = (mostBytes = 1_000_000) =>
  openBlobCache({
    folder,
    mostBytes,
    now: () => now,
    needed: () => needed,
    fetch: async (digest) => {
      asked.push(digest);
      const bytes = served.get(digest);
      if (!bytes) throw new Error('the server answered 404');
      return Readable.from([bytes.subarray(0, 3), bytes.subarray(3)]);
    },
  });
function file(text: string, change: Partial<InputFile> = {}): InputFile {
  const bytes = Buffer.from(text);
  const digest = digestOf(bytes);
  served.set(digest, bytes);
  return { path: 'a', mode: 'file', digest, size: bytes.length, ...change };
}
const list = (...files: InputFile[]) => ({ is: 'list' as const, files });
const hex = (digest: string): string => digest.slice('sha256:'.length);

describe('the cache of inputs', () => {
  it('fetches a file once, read-only, and an executable as a second blob', async () => {
    const cache = await open();
    const data = file('some data');
    const program = { ...data, mode: 'executable' as const, path: 'b' };
    await Promise.all([cache.bring(list(data, program)), cache.bring(list(data))]);
    await cache.bring(list(data));
    assert.equal(asked.length, 1);
    assert.equal(statSync(join(folder, hex(data.digest))).mode & 0o777, 0o444);
    assert.equal(statSync(join(folder, `${hex(data.digest)}.x`)).mode & 0o777, 0o555);
    assert.equal(readFileSync(join(folder, hex(data.digest)), 'utf8'), 'some data');
  });

  it('leaves nothing behind of bytes that are others, too many or too few', async () => {
    const cache = await open();
    const good = file('some data');
    for (const lie of ['same size', 'some data and more', 'some']) {
      served.set(good.digest, Buffer.from(lie === 'same size' ? 'SOME DATA' : lie));
      await assert.rejects(cache.bring(list(good)), {
        code: lie === 'some' ? 'input.unavailable' : 'input.digest_wrong',
      });
      assert.deepEqual(readdirSync(folder), []);
    }
  });

  it('fetches anew what was changed on the disk, in this process or before it began', async () => {
    const data = file('some data');
    const program = file('a program', { mode: 'executable', path: 'b' });
    const blobs = [hex(data.digest), hex(program.digest), `${hex(program.digest)}.x`];
    await (await open()).bring(list(data, program));
    for (const cache of [await open(), await open()]) {
      await cache.bring(list(data, program));
      for (const name of blobs) writeFileSync(join(folder, name), 'SOME DATA', { mode: 0o600 });
      await cache.bring(list(data, program));
      assert.deepEqual(
        blobs.map((name) => readFileSync(join(folder, name), 'utf8')),
        ['some data', 'a program', 'a program'],
      );
      for (const name of blobs) rmSync(join(folder, name));
      await cache.bring(list(data, program));
      // For the next program to find.
      writeFileSync(join(folder, blobs[0] ?? ''), 'changed!!');
    }
    await (await open()).bring(list(data));
    assert.equal(readFileSync(join(folder, hex(data.digest)), 'utf8'), 'some data');
    const fetched = asked.length;
    const again = await open();
    for (let times = 0; times < 3; times += 1) await again.bring(list(data, program));
    assert.equal(asked.length, fetched);
  });

  it('has nothing left of a changed blob that cannot be had again', async () => {
    const cache = await open();
    const data = file('some data');
    await cache.bring(list(data));
    served.set(data.digest, Buffer.from('SOME DATA'));
    writeFileSync(join(folder, hex(data.digest)), 'same size');
    await assert.rejects(cache.bring(list(data)), { code: 'input.digest_wrong' });
    assert.deepEqual(readdirSync(folder), []);
  });

  it('says when the server has no such file, or the order another size', async () => {
    const cache = await open();
    const data = file('some data');
    await assert.rejects(cache.bring(list({ ...data, digest: digestOf('never sent') })), {
      code: 'input.unavailable',
    });
    await cache.bring(list(data));
    await assert.rejects(cache.bring(list({ ...data, size: 4 })), { code: 'input.digest_wrong' });
  });

  it('reads a manifest as what the order says of it, and nothing else', async () => {
    const cache = await open();
    const one = file('one', { path: 'x/one' });
    const two = file('two!', { path: 'x/two' });
    const manifest = (files: unknown) => {
      const { digest, size } = file(JSON.stringify(files));
      return { is: 'manifest' as const, digest, size, files: 2, bytes: 7 };
    };
    assert.deepEqual(await cache.bring(manifest([one, two])), [one, two]);
    for (const bad of [
      [one],
      [one, { ...two, path: '../two' }],
      [one, { ...two, path: 'x/one' }],
      [one, { ...two, size: 5 }],
      { one, two },
    ])
      await assert.rejects(cache.bring(manifest(bad)), { code: 'input.malformed' });
  });

  it('drops what was used longest ago, but nothing that was asked for lately', async () => {
    const cache = await open(10);
    const old = file('old data');
    await cache.bring(list(old));
    const next = file('new data');
    await cache.bring(list(next));
    assert.ok(existsSync(join(folder, hex(old.digest))));
    now += 2 * 3_600_000;
    await cache.bring(list(file('newest..')));
    assert.equal(existsSync(join(folder, hex(old.digest))), false);
  });

  it('leaves no copy of an executable behind that cannot be put in its place', async () => {
    const cache = await open();
    const program = file('a program', { mode: 'executable' });
    const place = join(folder, `${hex(program.digest)}.x`);
    mkdirSync(place);
    await assert.rejects(cache.bring(list(program)), { code: 'EISDIR' });
    assert.deepEqual(readdirSync(folder).toSorted(), [hex(program.digest), `${hex(program.digest)}.x`]);
    rmSync(place, { recursive: true });
    await cache.bring(list(program));
    assert.equal(readFileSync(place, 'utf8'), 'a program');
  });

  it('drops nothing that is needed for a run that has waited for long', async () => {
    const cache = await open(10);
    const waiting = file('old data');
    const program = { ...waiting, mode: 'executable' as const, path: 'b' };
    await cache.bring(list(waiting, program));
    now += 2 * 3_600_000;
    needed = [program];
    await cache.bring(list(file('newest..')));
    assert.deepEqual(
      [hex(waiting.digest), `${hex(waiting.digest)}.x`].map((name) => existsSync(join(folder, name))),
      [false, true],
    );
  });

  it('removes what an earlier process left half written', async () => {
    await open();
    writeFileSync(join(folder, 'part-7'), 'half');
    await open();
    assert.deepEqual(readdirSync(folder), []);
  });
});
