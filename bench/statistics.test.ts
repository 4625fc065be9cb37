import assert from 'node:assert/strict';
import { test } from 'node:test';
import { percentile, spread } from './statistics.ts';

test('the median of an even number of values stands between the middle two', () => {
  assert.deepEqual(spread([4, 1, 3, 2]), { min: 1, median: 2.5, max: 4 });
});

test('the order of the values does not matter, and they stay as they are', () => {
  const values = [10, 9, 1];
  assert.equal(spread(values).median, 9);
  assert.deepEqual(values, [10, 9, 1]);
});

test('the 99th percentile of a hundred values is nearly the largest', () => {
  const values = Array.from({ length: 101 }, (_, at) => at);
  assert.equal(percentile(values, 99), 99);
  assert.equal(percentile([7], 99), 7);
});

test('nothing has no median', () => {
  assert.throws(() => spread([]), RangeError);
});
