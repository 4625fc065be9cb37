import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { openCredits } from './give-credits.ts';

describe('credits of four slots', () => {
  const open = (held: { tasks: number }) => {
    const sent: number[] = [];
    const credits = openCredits({
      slots: 4,
      held: () => held.tasks,
      mayGive: () => true,
      send: (more) => sent.push(more),
    });
    return { credits, sent };
  };

  it('are two for each slot, and given again only when a quarter of them is free', async () => {
    const held = { tasks: 0 };
    const { credits, sent } = open(held);
    assert.equal(credits.restart(), 8);
    credits.used(8);
    held.tasks = 7;
    credits.give();
    await nextTurn();
    assert.deepEqual(sent, [], 'one is free');
    held.tasks = 6;
    credits.give();
    credits.give();
    await nextTurn();
    assert.deepEqual(sent, [2], 'what ended together is one gift');
  });

  it('are more as soon as tasks are short, and none after the end', async () => {
    const held = { tasks: 0 };
    const { credits, sent } = open(held);
    credits.restart();
    credits.used(8);
    held.tasks = 8;
    credits.pace(50);
    held.tasks = 4;
    credits.give();
    await nextTurn();
    assert.deepEqual(sent, [20]);
    credits.stop();
    held.tasks = 0;
    credits.give();
    await nextTurn();
    assert.deepEqual(sent, [20]);
  });

  it('are as many as are done while others come, but never without end', async () => {
    const held = { tasks: 0 };
    const { credits } = open(held);
    const windowAt = (wallMs: number): number => {
      credits.pace(wallMs);
      return credits.restart();
    };
    assert.deepEqual([60_000, 300, 100, 50, 10, 0].map(windowAt), [8, 8, 12, 24, 120, 128]);
  });
});
