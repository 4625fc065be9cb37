import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openShares } from './shares.ts';
import { openSlotQueue } from './slot-queue.ts';

const GIB = 2 ** 30;

describe('what jobs share', () => {
  const machine = { cores: 4, memoryBytes: 4 * GIB, counters: [{ name: 'licence', amount: 2 }] };
  const needs = (changes: object = {}) => ({ cpus: null, memoryBytes: GIB, counters: [], ...changes });

  test('is taken until it is given back, once', () => {
    const shares = openShares(machine);
    const first = shares.reserve(needs({ memoryBytes: 3 * GIB }));
    assert.ok(first);
    assert.equal(shares.reserve(needs({ memoryBytes: 2 * GIB })), null);
    assert.ok(shares.reserve(needs()));
    assert.equal(shares.reserve(needs()), null);
    first();
    first();
    assert.ok(shares.reserve(needs({ memoryBytes: 3 * GIB })));
    assert.equal(shares.reserve(needs()), null);
  });

  test('is each counted by itself, and nothing is taken of any when one is short', () => {
    const shares = openShares(machine);
    assert.ok(shares.reserve(needs({ cpus: 1, counters: [{ name: 'licence', amount: 2 }] })));
    assert.equal(shares.reserve(needs({ cpus: 3, counters: [{ name: 'licence', amount: 1 }] })), null);
    assert.ok(shares.reserve(needs({ cpus: 3 })));
  });

  test('is never too little for the usual memory on a small machine, alone', () => {
    const shares = openShares({ ...machine, memoryBytes: GIB / 4 });
    const giveBack = shares.reserve(needs());
    assert.ok(giveBack);
    assert.equal(shares.reserve(needs()), null);
    giveBack();
    assert.ok(shares.reserve(needs()));
  });
});

describe('a queue before slots', () => {
  interface Job {
    readonly name: string;
    readonly kind: string;
    readonly needs: number;
    readonly depth: number;
  }
  const job = (name: string, changes: Partial<Job> = {}): Job => ({
    name,
    kind: 'a',
    needs: 1,
    depth: 1,
    ...changes,
  });

  function open(slots: number, whole: number) {
    const running = new Map<string, { slot: number; end: () => void }>();
    let free = whole;
    const queue = openSlotQueue<Job>({
      slots,
      depth: ({ depth }) => depth,
      kind: ({ kind }) => kind,
      reserve: ({ needs }) => {
        if (needs > free) return null;
        free -= needs;
        return () => (free += needs);
      },
      run: ({ name }, slot) => new Promise((resolve) => running.set(name, { slot, end: resolve })),
    });
    const end = async (name: string): Promise<void> => {
      running.get(name)?.end();
      running.delete(name);
      await new Promise((resolve) => setImmediate(resolve));
    };
    return {
      queue,
      end,
      names: () => [...running.keys()],
      slotOf: (name: string) => running.get(name)?.slot,
    };
  }

  test('starts in order what fits, and nothing past one that does not fit yet', async () => {
    const { queue, end, names } = open(3, 3);
    for (const one of [job('big', { needs: 2 }), job('bigger', { needs: 2 }), job('small')]) queue.add(one);
    assert.deepEqual(names(), ['big']);
    assert.equal(queue.waiting, 2);
    await end('big');
    assert.deepEqual(names(), ['bigger', 'small']);
  });

  test('lets a short one of the same kind stand behind another in its slot, for what that one has', async () => {
    const { queue, end, names, slotOf } = open(2, 1);
    for (const name of ['one', 'two', 'three']) queue.add(job(name, { depth: 2 }));
    assert.deepEqual(names(), ['one', 'two'], 'the second slot has nothing left to take');
    assert.equal(slotOf('one'), slotOf('two'));
    queue.add(job('other', { kind: 'b', depth: 2 }));
    await end('one');
    assert.deepEqual(names(), ['two', 'three']);
    await end('two');
    await end('three');
    assert.deepEqual(names(), ['other']);
  });

  test('lets none of another kind stand behind: it may need more, and the one before it may be long', async () => {
    const { queue, end, names } = open(1, 9);
    queue.add(job('long', { kind: 'a', depth: 1 }));
    queue.add(job('short', { kind: 'b', depth: 2 }));
    assert.deepEqual(names(), ['long']);
    await end('long');
    assert.deepEqual(names(), ['short']);
  });

  test('fills free slots before it lets anything stand behind', () => {
    const { queue, slotOf } = open(3, 9);
    for (const name of ['one', 'two', 'three', 'four']) queue.add(job(name, { depth: 2 }));
    assert.deepEqual(new Set(['one', 'two', 'three'].map(slotOf)), new Set([0, 1, 2]));
    assert.notEqual(slotOf('four'), undefined);
  });
});
