import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { watchSpeed } from './watch-speed.ts';

const SECOND = 1_000;

function open(measures: number[]) {
  const stop = new AbortController();
  const told: number[] = [];
  const failed: string[] = [];
  const speed = watchSpeed({
    measure: async () => {
      const next = measures.shift();
      if (next === undefined) throw new Error('no thread');
      return next;
    },
    signal: stop.signal,
    since: 0,
    onFaster: () => told.push(speed.megaflops),
    log: (event) => void failed.push(event),
  });
  return { speed, told, failed, stop };
}

it('a machine is measured at its first link, and once more when it has been idle for half a minute', async () => {
  const { speed, told } = open([50, 80, 90]);
  speed.measureFirst();
  speed.measureFirst();
  await nextTurn();
  speed.isBusy();
  speed.lookIdle(40 * SECOND);
  speed.lookIdle(69 * SECOND);
  await nextTurn();
  assert.deepEqual(told, [50], 'it has been idle since the 40th second');
  for (let at = 70; at < 200; at += 10) speed.lookIdle(at * SECOND);
  await nextTurn();
  assert.deepEqual(told, [50, 80]);
});

it('only what is faster is told, a measure that failed is no measure, and none counts after the end', async () => {
  const { speed, told, failed, stop } = open([80, 50]);
  speed.measureFirst();
  await nextTurn();
  speed.lookIdle(30 * SECOND);
  await nextTurn();
  assert.deepEqual([told, speed.megaflops], [[80], 80]);

  const broken = open([]);
  broken.speed.measureFirst();
  await nextTurn();
  assert.deepEqual([broken.failed, broken.speed.megaflops], [['measure.failed'], 0]);

  const ended = open([80]);
  ended.speed.measureFirst();
  ended.stop.abort();
  await nextTurn();
  assert.deepEqual(ended.told, []);
  assert.deepEqual(failed, []);
  stop.abort();
});
