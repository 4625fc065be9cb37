import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gatherEnds } from './gather-ends.ts';

test('ends wait for each other while work waits, and for nothing when none does', async () => {
  let isWaiting = true;
  const waits: (() => void)[] = [];
  const clock = {
    now: () => 0,
    monotonic: () => 0,
    wait: () => new Promise<void>((resolve) => waits.push(resolve)),
  };
  const gathered = gatherEnds(clock, new AbortController().signal, () => isWaiting);
  const left: string[] = [];
  const first = gathered().then(() => left.push('first'));
  const second = gathered().then(() => left.push('second'));
  await Promise.resolve();
  assert.deepEqual([waits.length, left], [1, []], 'one wait for both');
  waits[0]?.();
  await Promise.all([first, second]);
  assert.deepEqual(left, ['first', 'second']);
  isWaiting = false;
  await gathered();
  assert.equal(waits.length, 1);
});
