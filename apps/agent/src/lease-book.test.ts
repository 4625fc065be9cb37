import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LeasedTask } from '@writ/contract';
import { marginOf, openLeaseBook } from './lease-book.ts';
import type { HeldTask, LeaseBook } from './lease-book.ts';

const task = (change: Partial<LeasedTask> = {}): LeasedTask => ({
  job: 'j',
  index: 0,
  attempt: 1,
  token: { epoch: 1, n: 5 },
  ...change,
});
const lease = { order: 'sha256:a', seconds: 30 };

function take(book: LeaseBook, given = task(), now = 0): HeldTask {
  const taken = book.take(given, lease, now);
  assert.ok(typeof taken === 'object');
  return taken;
}

describe('leases as the agent keeps them', () => {
  it('end half a second early, a short one by a tenth', () => {
    assert.equal(marginOf(30), 500);
    assert.equal(marginOf(1), 100);
    const book = openLeaseBook();
    const held = take(book);
    assert.equal(held.endsAt, 29_500);
    assert.deepEqual(book.over(29_499), []);
    assert.deepEqual(book.over(29_500), [held]);
  });

  it('count from when the renewal was sent, not from when it was answered', () => {
    const book = openLeaseBook();
    const held = take(book);
    book.ask([held], 10_000);
    book.renewed([task()]);
    assert.equal(held.endsAt, 39_500);
  });

  it('take one answer for one question', () => {
    const book = openLeaseBook();
    const held = take(book);
    book.ask([held], 10_000);
    book.ask([held], 20_000);
    book.renewed([task()]);
    assert.equal(held.endsAt, 39_500);
    book.renewed([task()]);
    assert.equal(held.endsAt, 49_500);
    book.renewed([task()]);
    assert.equal(held.endsAt, 49_500);
  });

  it('are not renewed by a server that was not asked, or for what is not held', () => {
    const book = openLeaseBook();
    const held = take(book);
    book.renewed([task(), task({ index: 7 }), task({ token: { epoch: 9, n: 9 } })]);
    assert.equal(held.endsAt, 29_500);
    assert.equal(book.size, 1);
  });

  it('are asked for again at a third of their time', () => {
    const book = openLeaseBook();
    const held = take(book);
    assert.deepEqual(book.dueForRenewal(9_999), []);
    assert.deepEqual(book.dueForRenewal(10_000), [held]);
    book.ask([held], 10_000);
    assert.deepEqual(book.dueForRenewal(10_001), []);
  });

  it('are one when they come twice, and an older token is stale', () => {
    const book = openLeaseBook();
    take(book);
    assert.equal(book.take(task(), lease, 5), 'held');
    assert.equal(book.take(task({ token: { epoch: 1, n: 4 } }), lease, 5), 'stale');
    assert.equal(book.take(task({ token: { epoch: 0, n: 9 } }), lease, 5), 'stale');
  });

  it('give way to a newer token, also while they run', () => {
    const book = openLeaseBook();
    const first = take(book);
    const second = take(book, task({ token: { epoch: 2, n: 1 } }));
    assert.equal(first.isMine, false);
    assert.equal(book.find(task()), second);
    second.isRunning = true;
    const third = take(book, task({ attempt: 2, token: { epoch: 2, n: 2 } }));
    assert.equal(book.find(task()), third);
    assert.equal(second.isMine, false);
    book.drop(second);
    assert.equal(book.find(task()), third, 'the end of the older one leaves the newer one');
  });

  it('have no answer from a link that is over', () => {
    const book = openLeaseBook();
    const held = take(book);
    book.ask([held], 10_000);
    book.forgetQuestions();
    book.renewed([task()]);
    assert.equal(held.endsAt, 29_500);
  });
});
