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

test('who fails and may is out without results; who may not ends everything', async () => {
  let runs = 0;
  const fails = async (): Promise<number> => {
    runs += 1;
    if (runs > 1) throw new Error('no more');
    return 0;
  };
  const why: string[] = [];
  const peer = { name: 'peer', run: fails, onFailed: (error: Error) => why.push(error.message) };
  const results = await runRounds([peer, { name: 'writ', run: async () => 1 }], 3);
  assert.deepEqual(results.get('peer'), []);
  assert.deepEqual(results.get('writ'), [1, 1, 1]);
  assert.deepEqual([why, runs], [['no more'], 2]);
  await assert.rejects(runRounds([{ name: 'writ', run: fails }], 1), /no more/);
});
