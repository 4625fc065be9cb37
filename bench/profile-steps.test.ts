import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharesOf } from './profile-steps.ts';

const frame = (functionName: string, url = '') => ({ functionName, url });

test('what a file of ours calls outside counts as its own, and idle time not at all', () => {
  const shares = sharesOf({
    nodes: [
      { id: 1, callFrame: frame('(root)'), hitCount: 0, children: [2, 3, 6] },
      { id: 2, callFrame: frame('(idle)'), hitCount: 900 },
      {
        id: 3,
        callFrame: frame('take', 'file:///writ/app/apps/server/src/link/take-receipts.ts'),
        hitCount: 10,
        children: [4, 5],
      },
      { id: 4, callFrame: frame('verify', 'node:internal/crypto'), hitCount: 60 },
      {
        id: 5,
        callFrame: frame('accept', 'file:///writ/app/packages/store/src/accept-results.ts'),
        hitCount: 25,
      },
      { id: 6, callFrame: frame('(garbage collector)'), hitCount: 5 },
    ],
  });
  assert.deepEqual(shares, [
    ['apps/server/src/link/take-receipts.ts', 0.7],
    ['packages/store/src/accept-results.ts', 0.25],
    ['garbage collector', 0.05],
  ]);
});
