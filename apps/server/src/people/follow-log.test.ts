import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { LogName } from '../kept-logs.ts';
import { keepLogs } from '../logs/keep-logs.ts';
import { followLog } from './follow-log.ts';

const NAME: LogName = { job: 'aaaa', index: 0, attempt: 1, stream: 'stdout' };
const MIB = 1024 * 1024;

/** A log on disk, and what the rest of a server says of its task. Time passes when the test says so. */
async function openPlace(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'writ-follow-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const kept = keepLogs(folder);
  const listeners = new Set<(jobs: readonly string[]) => void>();
  const due = new Set<() => void>();
  const task = { state: 'running', attempt: 1 };
  const counts = { asked: 0, read: 0 };
  let size = 0;
  const place = {
    store: {
      jobs: {
        readTask: async () => {
          counts.asked += 1;
          return { ...task };
        },
      },
      onJobsChanged: (listener: (jobs: readonly string[]) => void) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
    logs: {
      onGrown: kept.onGrown,
      async *read(name: LogName, offset: number) {
        for await (const chunk of kept.read(name, offset)) {
          counts.read += chunk.length;
          yield chunk;
        }
      },
    },
    clock: {
      after: (_milliseconds: number, then: () => void) => {
        due.add(then);
        return () => void due.delete(then);
      },
    },
  } as unknown as Parameters<typeof followLog>[0];
  return {
    kept,
    task,
    counts,
    listeners,
    due,
    follow: (signal = new AbortController().signal, from = 0) => followLog(place, NAME, from, signal),
    append: async (bytes: Uint8Array, name = NAME) => (size = await kept.append(name, size, bytes, 2 ** 40)),
    change: (job = NAME.job) => listeners.forEach((listener) => listener([job])),
    passTime: () => {
      for (const then of due) {
        due.delete(then);
        then();
      }
    },
  };
}

test('what is written reaches a reader without that time passes, and nobody is asked meanwhile', async (t) => {
  const { kept, follow, append, counts, task, change, passTime, listeners, due } = await openPlace(t);
  const reading = follow();
  for (const line of ['one\n', 'two\n', 'three\n']) {
    const next = reading.next();
    await turn();
    await append(Buffer.from(line));
    assert.equal(String((await next).value), line);
  }
  assert.deepEqual([counts.asked, due.size], [1, 0]);

  // Many changes of its job are one look.
  const end = reading.next();
  await turn();
  for (let times = 0; times < 1000; times += 1) change();
  change('bbbb');
  assert.deepEqual([counts.asked, due.size], [1, 1]);
  task.state = 'succeeded';
  await kept.append(NAME, 14, Buffer.from('last'), 100);
  assert.equal(String((await end).value), 'last');
  const over = reading.next();
  passTime();
  assert.deepEqual(await over, { done: true, value: undefined });
  assert.deepEqual([counts.asked, listeners.size, due.size], [2, 0, 0]);
});

test('a log that comes with the receipt, or from another attempt, is told as well', async (t) => {
  for (const come of ['short', 'adopted'] as const) {
    const { kept, follow } = await openPlace(t);
    const before = { ...NAME, attempt: 7 };
    await kept.append(before, 0, Buffer.from('whole'), 100);
    const reading = follow();
    const next = reading.next();
    await turn();
    if (come === 'short') await kept.keepShort(NAME.job, [{ name: NAME, bytes: Buffer.from('whole') }]);
    else await kept.adopt(before, NAME);
    assert.equal(String((await next).value), 'whole', come);
    await reading.return(undefined);
  }
});

test('readers that come at any time get every byte once, however it is cut while it is written', async (t) => {
  const { follow, append, task, change, passTime } = await openPlace(t);
  const pieces = Array.from({ length: 400 }, (_none, at) =>
    Buffer.from(`${at} ${'x'.repeat((at * 37) % 900)}\n`),
  );
  const readers: Promise<Buffer>[] = [];
  for (const [at, piece] of pieces.entries()) {
    if (at % 80 === 0) readers.push(buffer(Readable.from(follow())));
    await append(piece);
    if (at % 7 === 0) {
      change();
      passTime();
    }
  }
  task.state = 'succeeded';
  change();
  passTime();
  const whole = Buffer.concat(pieces);
  for (const read of await Promise.all(readers)) assert.ok(read.equals(whole));
});

test('of a reader that stands still nothing is kept in memory but what it asked for', async (t) => {
  const { follow, append, counts, task, change, passTime } = await openPlace(t);
  const reader = Readable.from(follow(), { objectMode: false });
  const first = reader[Symbol.asyncIterator]();
  await append(Buffer.alloc(MIB, 'a'));
  let size = ((await first.next()).value as Buffer).length;
  for (let at = 0; at < 32; at += 1) {
    await append(Buffer.alloc(MIB, 'b'));
    await turn();
  }
  assert.ok(counts.read <= 2 * MIB, `${counts.read} bytes were read for nobody`);
  task.state = 'succeeded';
  change();
  passTime();
  for await (const chunk of first) size += (chunk as Buffer).length;
  assert.equal(size, 33 * MIB);
});

test('a reader who goes leaves nothing behind', async (t) => {
  const { follow, append, change, listeners, due } = await openPlace(t);
  const gone = new AbortController();
  const reading = follow(gone.signal);
  const next = reading.next();
  await turn();
  change();
  gone.abort();
  assert.equal((await next).done, true);
  assert.deepEqual([listeners.size, due.size], [0, 0]);
  await append(Buffer.from('to nobody'));
});
