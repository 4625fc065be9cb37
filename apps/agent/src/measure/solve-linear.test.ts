import assert from 'node:assert/strict';
import { it } from 'node:test';
import { measureSpeed } from './measure-speed.ts';
import { operations, solveLinear } from './solve-linear.ts';

it('solves the system it is timed by: the residual is small', () => {
  const { residual, milliseconds } = solveLinear(120, () => performance.now());
  assert.ok(residual < 100, String(residual));
  assert.ok(milliseconds > 0);
  assert.equal(Math.round(operations(500) / 1e6), 84);
});

it('measures in a thread of its own', async () => {
  assert.ok((await measureSpeed(new AbortController().signal)) > 0);
});
