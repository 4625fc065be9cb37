import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type LineFault, readLines, sendLines } from './line-stream.ts';

test('who reads nothing is a fault once, when much is waiting for it', async () => {
  const to = new PassThrough();
  const told: string[] = [];
  const lines = sendLines(to, {
    onFault: (fault) => {
      told.push(fault.code);
      // As a link does: it says why, and ends.
      lines.send({ is: 'close' });
      lines.end();
    },
    onFull: () => told.push('full'),
    onRoom: () => told.push('room'),
  });
  const text = 'x'.repeat(1024 * 1024);
  for (let at = 0; at < 40; at += 1) {
    lines.send(text);
    if (at === 5) assert.equal(lines.isFull, true);
    await nextTurn();
  }
  assert.deepEqual(told, ['full', 'link.slow']);
  assert.ok(to.writableLength + to.readableLength < 40 * 1024 * 1024);
});

test('who reads again is no fault', async () => {
  const to = new PassThrough();
  const told: string[] = [];
  const lines = sendLines(to, {
    onFault: ({ code }) => told.push(code),
    onFull: () => told.push('full'),
    onRoom: () => told.push('room'),
  });
  lines.send('x'.repeat(5 * 1024 * 1024));
  await nextTurn();
  to.resume();
  await nextTurn();
  await nextTurn();
  assert.deepEqual(told, ['full', 'room']);
  assert.equal(lines.isFull, false);
});

test('nothing is read while what came before is not dealt with, or while somebody holds', async () => {
  const from = new PassThrough();
  const faults: LineFault[] = [];
  const waiting: PromiseWithResolvers<void>[] = [];
  let lines = 0;
  const reading = readLines(
    from,
    (received) => {
      lines += received.length;
      const one = Promise.withResolvers<void>();
      waiting.push(one);
      return one.promise;
    },
    (fault) => faults.push(fault),
  );
  const line = `${'x'.repeat(1024 * 1024)}\n`;
  for (let at = 0; at < 10; at += 1) from.write(line);
  await nextTurn();
  assert.equal(lines, 5);
  while (waiting.length > 0) {
    for (const one of waiting.splice(0)) one.resolve();
    await nextTurn();
    await nextTurn();
  }
  const letGo = reading.hold();
  from.write(line);
  await nextTurn();
  assert.equal(lines, 10);
  letGo();
  await nextTurn();
  assert.equal(lines, 11);
  assert.deepEqual(faults, []);
});

test('a line without an end and bytes that are no UTF-8 are faults', async () => {
  for (const [bytes, code] of [
    [Buffer.alloc(9 * 1024 * 1024, 'x'), 'link.line_too_long'],
    [Buffer.from([0x22, 0xff, 0x22, 10]), 'link.malformed'],
  ] as const) {
    const from = new PassThrough();
    const faults: LineFault[] = [];
    const heard: string[] = [];
    readLines(
      from,
      (received) => {
        heard.push(...received);
        return null;
      },
      (fault) => faults.push(fault),
    );
    from.write(bytes);
    from.write('"more"\n');
    await nextTurn();
    assert.deepEqual(
      faults.map((fault) => fault.code),
      [code],
    );
    assert.deepEqual(heard, []);
  }
});
