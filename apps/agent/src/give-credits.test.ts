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

  it('are given at once when a slot may soon have nothing to do', async () => {
    const held = { tasks: 0 };
    const { credits, sent } = open(held);
    credits.restart();
    credits.used(8);
    held.tasks = 8;
    credits.pace(true);
    held.tasks = 4;
    credits.give();
    await nextTurn();
    assert.deepEqual(sent, [28], 'short tasks have a longer way to bridge');
    credits.stop();
    held.tasks = 0;
    credits.give();
    await nextTurn();
    assert.deepEqual(sent, [28], 'none is given after the end');
  });
});
