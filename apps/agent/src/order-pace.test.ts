import assert from 'node:assert/strict';
import { it } from 'node:test';
import { openOrderPace } from './order-pace.ts';

it('an order is quick by its tasks here, and one long task among many short ones changes that for a while', () => {
  const pace = openOrderPace();
  assert.equal(pace.isQuick('a'), false, 'nothing is known of it');
  assert.equal(pace.ended('a', 5), 5);
  assert.equal(pace.isQuick('a'), true);
  assert.equal(pace.isQuick('b'), false);
  assert.equal(pace.ended('a', 1000), 204);
  assert.equal(pace.isQuick('a'), false);
  for (let short = 0; short < 10; short += 1) pace.ended('a', 5);
  assert.equal(pace.isQuick('a'), true);
});

it('only so many orders are remembered', () => {
  const pace = openOrderPace();
  for (let n = 0; n <= 10_000; n += 1) pace.ended(`order-${n}`, 1);
  assert.equal(pace.isQuick('order-0'), false);
  assert.equal(pace.isQuick('order-10000'), true);
});
