import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { digestOf, startDigest } from '@writ/trust/digest';
import type { KeptFiles } from '../kept-files.ts';
import { keepFiles } from './keep-files.ts';

describe('kept files', () => {
  let folder: string;
  let files: KeptFiles;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'writ-files-'));
    files = await keepFiles(folder);
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
    for (const text of texts) yield Buffer.from(text);
  }
  const leftOver = async (): Promise<string[]> => [
    ...(await readdir(join(folder, 'unfinished'))),
    ...(await readdir(join(folder, 'uploads'))),
  ];
  const readAll = async (digest: string, start: number, end: number): Promise<string> => {
    let text = '';
    for await (const chunk of files.read(digest, { start, end })) text += Buffer.from(chunk).toString();
    return text;
  };

  test('bytes under their digest are kept and read back, whole and in part', async () => {
    const digest = digestOf('hello world');
    assert.equal(await files.receive(digest, pieces('hello ', 'world'), { most: 100 }), 11);
    assert.equal(await files.sizeOf(digest), 11);
    assert.equal(await readAll(digest, 0, 10), 'hello world');
    assert.equal(await readAll(digest, 6, 8), 'wor');
  });

  test('a wrong byte, a wrong size, too much and a broken stream leave nothing on the disk', async () => {
    const digest = digestOf('what was announced');
    await assert.rejects(files.receive(digest, pieces('what was announceD'), { most: 100 }), {
      code: 'file.digest_wrong',
    });
    await assert.rejects(files.receive(digest, pieces('what was'), { size: 18, most: 100 }), {
      code: 'file.digest_wrong',
    });
    await assert.rejects(files.receive(digest, pieces('what was announced'), { most: 5 }), {
      code: 'request.too_large',
    });
    const broken = (async function* () {
      yield Buffer.from('what');
      throw new Error('cut');
    })();
    await assert.rejects(files.receive(digest, broken, { most: 100 }), /cut/);
    assert.equal(await files.sizeOf(digest), null);
    assert.deepEqual(await leftOver(), []);
  });

  test('names that are no digests reach no file', async () => {
    for (const name of [
      '../../etc/passwd',
      'sha256:../../../../etc/passwd',
      `sha256:${'A'.repeat(64)}`,
      '',
    ]) {
      await assert.rejects(files.sizeOf(name), { code: 'not_found' });
      await assert.rejects(files.receive(name, pieces('x'), { most: 10 }), { code: 'not_found' });
    }
  });

  test('two that send the same upload at once do not mix their bytes', async () => {
    const bytes = Buffer.from('0123456789'.repeat(100));
    const digest = digestOf(bytes);
    const send = async (): Promise<number> => {
      let offset = 0;
      for (let tries = 0; tries < 100 && offset < bytes.length; tries += 1) {
        const at = await files.uploadedOf(digest, 'ana');
        try {
          const answer = await files.append(digest, bytes.subarray(at, at + 100), {
            offset: at,
            total: bytes.length,
            owner: 'ana',
          });
          offset = answer.offset;
          if (answer.isWhole) return offset;
        } catch (error) {
          assert.equal((error as { code: string }).code, 'conflict.state');
        }
      }
      return offset;
    };
    await Promise.all([send(), send()]);
    assert.equal(await readAll(digest, 0, bytes.length - 1), bytes.toString());
  });

  test('nobody goes on with, sees or disturbs the unfinished upload of somebody else', async () => {
    const bytes = Buffer.from(`ana sends ${Math.random()}`);
    const digest = digestOf(bytes);
    const total = bytes.length;
    await files.append(digest, bytes.subarray(0, 5), { offset: 0, total, owner: 'ana' });
    assert.equal(await files.uploadedOf(digest, 'eve'), 0);
    await assert.rejects(files.append(digest, Buffer.alloc(9), { offset: 5, total: 6, owner: 'eve' }));
    await files.append(digest, Buffer.alloc(5), { offset: 0, total, owner: 'eve' });
    await assert.rejects(files.append(digest, Buffer.alloc(1_000), { offset: 5, total, owner: 'eve' }), {
      code: 'file.digest_wrong',
    });
    assert.equal(await files.uploadedOf(digest, 'ana'), 5);
    const end = await files.append(digest, bytes.subarray(5), { offset: 5, total, owner: 'ana' });
    assert.equal(end.isWhole, true);
    assert.equal(await readAll(digest, 0, total - 1), bytes.toString());
  });

  test('a file that was damaged on the disk is not read to its end, makes room for the right bytes, and is whole again', async () => {
    const damaged: string[] = [];
    const again = await keepFiles(folder, (digest) => damaged.push(digest));
    const bytes = Buffer.alloc(3_000_000, 'a');
    const digest = digestOf(bytes);
    await again.receive(digest, pieces(bytes.toString()), { most: 2 ** 30 });
    assert.equal(await again.isSound(digest), true);
    const path = join(folder, digest.slice(7, 9), digest.slice(9));
    const other = Buffer.from(bytes);
    other[1_234] = 98;
    await writeFile(path, other);
    assert.equal(await again.isSound(digest), false);
    let read = 0;
    await assert.rejects(async () => {
      for await (const chunk of again.read(digest, { start: 0, end: bytes.length - 1 })) read += chunk.length;
    });
    assert.ok(read < bytes.length, 'somebody could have taken it for whole');
    assert.deepEqual(damaged, [digest]);
    assert.equal(await again.sizeOf(digest), null);
    await again.append(digest, bytes, { offset: 0, total: bytes.length, owner: 'ana' });
    assert.equal(await again.isSound(digest), true);
  });

  test('memory stays constant while 256 MiB pass', async () => {
    const block = Buffer.alloc(1024 * 1024, 7);
    const hash = startDigest();
    for (let n = 0; n < 256; n += 1) hash.update(block);
    const digest = hash.digest();
    const big = (async function* () {
      for (let n = 0; n < 256; n += 1) yield block;
    })();
    const before = process.memoryUsage().rss;
    assert.equal(await files.receive(digest, big, { most: 2 ** 30 }), 256 * 1024 * 1024);
    let read = 0;
    for await (const chunk of files.read(digest, { start: 0, end: 256 * 1024 * 1024 - 1 }))
      read += chunk.length;
    assert.equal(read, 256 * 1024 * 1024);
    assert.ok(
      process.memoryUsage().rss - before < 128 * 1024 * 1024,
      `${(process.memoryUsage().rss - before) / 2 ** 20} MiB more`,
    );
  });
});
