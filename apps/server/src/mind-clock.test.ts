import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Store } from '@writ/store';
import { mindClockWith } from './mind-clock.ts';

function mindedClock(renewAll: () => Promise<number>) {
  const time = { wall: 1_000_000, monotonic: 10 };
  const pass = (milliseconds: number): void => {
    time.wall += milliseconds;
    time.monotonic += milliseconds;
  };
  const mind = mindClockWith({
    store: { leases: { renewAll } } as unknown as Store,
    clock: { now: () => time.wall, monotonic: () => time.monotonic, after: () => () => undefined },
    log: () => undefined,
    leaseSeconds: 30,
  });
  return { time, pass, mind };
}

test('leases begin again when somebody sets the clock, forward or back, and at no other time', async () => {
  let times = 0;
  const { time, pass, mind } = mindedClock(async () => (times += 1));
  pass(3_600_000);
  await mind();
  // What a clock is corrected by from one look to the next.
  for (let looks = 0; looks < 100; looks += 1) {
    pass(1000);
    time.wall += 5;
    await mind();
  }
  assert.equal(times, 0);
  for (const jump of [3_600_000, -3_600_000, 60, -60]) {
    time.wall += jump;
    await mind();
    await mind();
  }
  assert.equal(times, 4);
});

test('a database that is away is asked again, once at a time, and nobody judges a lease before it has answered', async () => {
  const answers: PromiseWithResolvers<number>[] = [];
  const { time, mind } = mindedClock(async () => {
    const answer = Promise.withResolvers<number>();
    answers.push(answer);
    return await answer.promise;
  });
  time.wall += 3_600_000;
  const first = mind();
  const second = mind();
  assert.equal(answers.length, 1);
  answers[0]!.reject(new Error('away'));
  await assert.rejects(first, /away/);
  await assert.rejects(second, /away/);
  let isDone = false;
  const third = mind().then(() => (isDone = true));
  assert.equal(answers.length, 2);
  await Promise.resolve();
  assert.equal(isDone, false);
  answers[1]!.resolve(1);
  await third;
  await mind();
  assert.equal(answers.length, 2);
});
