import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inBatches } from './in-batches.ts';

function openSlow(most: number, first = most) {
  const batches: (readonly number[])[] = [];
  const dealing: PromiseWithResolvers<void>[] = [];
  const add = inBatches<number>({ first, most }, (batch) => {
    batches.push(batch);
    const one = Promise.withResolvers<void>();
    dealing.push(one);
    return one.promise;
  });
  return { batches, add, next: () => dealing.shift() };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('the first goes at once, and what comes meanwhile goes together', async () => {
  const { batches, add, next } = openSlow(10);
  const first = add([1]);
  await Promise.resolve();
  assert.deepEqual(batches, [[1]]);
  const later = [add([2, 3]), add([4]), add([5])];
  await turn();
  assert.equal(batches.length, 1);
  next()?.resolve();
  await first;
  await turn();
  assert.deepEqual(batches, [[1], [2, 3, 4, 5]]);
  next()?.resolve();
  await Promise.all(later);
  assert.equal(batches.length, 2);
});

test('never more than so many at once, and each once and in turn', async () => {
  const { batches, add, next } = openSlow(3);
  const all = [add([1]), add([2, 3]), add([4, 5, 6]), add([7])];
  for (let turns = 0; turns < 10; turns += 1) {
    await turn();
    next()?.resolve();
  }
  await Promise.all(all);
  assert.ok(batches.every((batch) => batch.length <= 3));
  assert.deepEqual(batches.flat(), [1, 2, 3, 4, 5, 6, 7]);
});

test('the first is small and each next one twice as large, so that a slow end of a large one does not undo all', async () => {
  const { batches, add, next } = openSlow(8, 1);
  const all = add(Array.from({ length: 20 }, (_none, at) => at));
  for (let turns = 0; turns < 10; turns += 1) {
    await turn();
    next()?.resolve();
  }
  await all;
  assert.deepEqual(
    batches.map(({ length }) => length),
    [1, 2, 4, 8, 5],
  );
});

test('after one that fails nothing is dealt with any more, and all hear why', async () => {
  const { batches, add, next } = openSlow(10);
  const first = add([1]);
  const second = add([2]);
  await turn();
  next()?.reject(new Error('no disk'));
  await assert.rejects(first, { message: 'no disk' });
  await assert.rejects(second, { message: 'no disk' });
  await assert.rejects(add([3]), { message: 'no disk' });
  assert.equal(batches.length, 1);
});
