import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runRounds } from './run-rounds.ts';

test('everybody runs once a round, each round beginning with another one', async () => {
  const order: string[] = [];
  const contestant = (name: string) => ({ name, run: async () => order.push(name) });
  const results = await runRounds([contestant('a'), contestant('b'), contestant('c')], 4);
  assert.equal(order.join(''), 'abcbcacababc');
  assert.deepEqual(
    [...results].map(([name, values]) => [name, values.length]),
    [
      ['a', 4],
      ['b', 4],
      ['c', 4],
    ],
  );
});

test('who is not run has no results and stops nobody', async () => {
  const results = await runRounds(
    [
      { name: 'absent', run: undefined, because: 'not installed' },
      { name: 'present', run: async () => 1 },
    ],
    2,
  );
  assert.deepEqual(results.get('absent'), []);
  assert.deepEqual(results.get('present'), [1, 1]);
});
