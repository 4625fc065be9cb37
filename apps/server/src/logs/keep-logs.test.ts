import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { digestOf } from '@writ/trust/digest';
import type { KeptLogs, LogName } from '../kept-logs.ts';
import { keepLogs } from './keep-logs.ts';

describe('kept logs', () => {
  let folder: string;
  let logs: KeptLogs;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'writ-logs-'));
    logs = keepLogs(folder);
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });
  const nameOf = (job: string, index = 0, attempt = 1): LogName => ({
    job,
    index,
    attempt,
    stream: 'stdout',
  });
  const read = async (name: LogName, offset = 0, from = logs): Promise<string> => {
    let text = '';
    for await (const chunk of from.read(name, offset)) text += Buffer.from(chunk).toString();
    return text;
  };

  test('what is appended is there once, also when it is sent again, and a gap is refused', async () => {
    const name = nameOf('aaaa');
    assert.equal(await logs.append(name, 0, Buffer.from('one '), 100), 4);
    assert.equal(await logs.append(name, 0, Buffer.from('one two'), 100), 7);
    assert.equal(await logs.append(name, 2, Buffer.from('e'), 100), 7);
    await assert.rejects(logs.append(name, 8, Buffer.from('!'), 100), { code: 'conflict.state' });
    await assert.rejects(logs.append(name, 7, Buffer.alloc(100), 100), { code: 'request.too_large' });
    assert.equal(await read(name), 'one two');
    assert.equal(await read(name, 4), 'two');
    assert.deepEqual(await logs.seal(name), { size: 7, digest: digestOf('one two') });
  });

  test('after a write that failed half-way, what is on the disk counts', async () => {
    const name = nameOf('ffff');
    const path = join(folder, 'ff', 'ffff', '0.1.stdout');
    assert.equal(await logs.append(name, 0, new Uint8Array(), 100), 0);
    await symlink('/dev/full', path);
    await assert.rejects(logs.append(name, 0, Buffer.from('one '), 100), { code: 'ENOSPC' });
    await rm(path);
    await writeFile(path, 'on');
    assert.equal(await logs.append(name, 0, Buffer.from('one two'), 100), 7);
    assert.equal(await read(name), 'one two');
    assert.deepEqual(await logs.seal(name), { size: 7, digest: digestOf('one two') });
  });

  test('a log that came whole with its end is that, whatever had come of it before or comes late', async () => {
    const name = nameOf('abab');
    await logs.append(name, 0, Buffer.from('on'), 100);
    await logs.keepShort(name.job, [{ name, bytes: Buffer.from('one two') }]);
    await logs.append(name, 0, Buffer.from('one'), 100);
    for (const from of [logs, keepLogs(folder)]) {
      assert.equal(await read(name, 0, from), 'one two');
      assert.equal(await from.sizeOf(name), 7);
      assert.deepEqual(await from.seal(name), { size: 7, digest: digestOf('one two') });
      await from.adopt(name, nameOf('abab', 0, 2));
      assert.equal(await read(nameOf('abab', 0, 2), 0, from), 'one two');
    }
  });

  test('a log of which the digest is no longer in memory is read again', async () => {
    const name = nameOf('bbbb');
    await logs.append(name, 0, Buffer.from('before the restart, '), 100);
    const later = keepLogs(folder);
    await later.append(name, 20, Buffer.from('after it'), 100);
    assert.equal((await later.seal(name))?.digest, digestOf('before the restart, after it'));
  });

  test('short logs of a job share a file; a record torn by a crash hides none of the later ones', async () => {
    await logs.keepShort('cccc', [
      { name: nameOf('cccc', 1), bytes: Buffer.from('first\n') },
      { name: nameOf('cccc', 2), bytes: Buffer.from('second\n') },
    ]);
    assert.equal(await read(nameOf('cccc', 2)), 'second\n');
    await appendFile(join(folder, 'cc', 'cccc', 'short'), '3.1.stdout 500\nonly a part');
    const later = keepLogs(folder);
    await later.keepShort('cccc', [{ name: nameOf('cccc', 4), bytes: Buffer.from('fourth\n') }]);
    assert.equal(await read(nameOf('cccc', 1), 0, later), 'first\n');
    assert.equal(await read(nameOf('cccc', 3), 0, later), '');
    assert.equal(await read(nameOf('cccc', 4), 0, later), 'fourth\n');
    assert.deepEqual(await later.seal(nameOf('cccc', 4)), { size: 7, digest: digestOf('fourth\n') });
  });

  test('short logs that several read at once, while more come, are all found, also after a restart', async () => {
    const job = 'iiii';
    const both = (['stdout', 'stderr'] as const).flatMap((stream) =>
      Array.from({ length: 40 }, (_, index) => ({ ...nameOf(job, index), stream })),
    );
    const textOf = ({ index, stream }: LogName): string => `${stream} of ${index} ${'x'.repeat(index)}\n`;
    const wrong = async (names: readonly LogName[], from = logs): Promise<number> => {
      const texts = await Promise.all(names.map(async (name) => await read(name, 0, from)));
      return names.filter((name, at) => texts[at] !== textOf(name)).length;
    };
    for (let at = 0; at < both.length; at += 8) {
      const more = both.slice(at, at + 8);
      await logs.keepShort(
        job,
        more.map((name) => ({ name, bytes: Buffer.from(textOf(name)) })),
      );
      assert.equal(await wrong(both.slice(0, at + 8)), 0);
    }
    assert.equal(await wrong(both, keepLogs(folder)), 0);
  });

  test('an adopting attempt shows the log of the one that it adopts', async () => {
    const short = nameOf('dddd', 0, 1);
    await logs.keepShort('dddd', [{ name: short, bytes: Buffer.from('said once') }]);
    await logs.adopt(short, { ...short, attempt: 2 });
    assert.equal(await read({ ...short, attempt: 2 }), 'said once');
    const long = nameOf('dddd', 1, 1);
    await logs.append(long, 0, Buffer.from('streamed'), 100);
    await logs.adopt(long, { ...long, attempt: 3 });
    assert.equal(await read({ ...long, attempt: 3 }), 'streamed');
  });
});
