import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Envelope, LeasedTask } from '@writ/contract';
import { greetServer } from './greet-server.ts';
import { openLeaseBook } from './lease-book.ts';
import type { PendingReceipt } from './receipts/receipt-chain.ts';

const taskOf = (index: number, attempt: number): LeasedTask => ({
  job: 'j',
  index,
  attempt,
  token: { epoch: 1, n: 10 * index + attempt },
});
const receiptOf = (task: LeasedTask, seq: number) => ({ task, seq }) as PendingReceipt;

it('who greets names what it holds, what runs, and the last attempt of what has ended and is not accepted', () => {
  const leases = openLeaseBook();
  const lease = { order: 'o', seconds: 30 };
  leases.take(taskOf(0, 1), lease, 0);
  const running = leases.take(taskOf(1, 2), lease, 0);
  assert.ok(typeof running === 'object');
  running.isRunning = true;
  const pending = [receiptOf(taskOf(1, 1), 4), receiptOf(taskOf(2, 1), 5), receiptOf(taskOf(2, 2), 6)];
  const { held, seq } = greetServer({
    description: {} as Envelope,
    set: { version: 1, digest: 'd' },
    credits: 2,
    leases,
    receipts: { seq: 6, pending },
  });
  assert.equal(seq, 6);
  assert.deepEqual(held, [
    { ...taskOf(0, 1), is: 'leased' },
    { ...taskOf(1, 2), is: 'running' },
    { ...taskOf(2, 2), is: 'running' },
  ]);
});
