import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FromAgent, LeasedTask } from '@writ/contract';
import { holdTasks } from './hold-tasks.ts';
import type { HoldingParts } from './hold-tasks.ts';
import { openLeaseBook } from './lease-book.ts';
import type { PendingReceipt } from './receipts/receipt-chain.ts';

const task = (index: number, n = index + 1): LeasedTask => ({
  job: 'aaaaaaaaaaaaaaaaaaaaaaaaai',
  index,
  attempt: 1,
  token: { epoch: 1, n },
});

function openHolding() {
  const leases = openLeaseBook();
  const sent: FromAgent[] = [];
  const pending: PendingReceipt[] = [];
  let isLinked = true;
  const parts: Pick<HoldingParts, 'leases' | 'receipts' | 'isLinked' | 'send'> = {
    leases,
    receipts: {
      get seq() {
        return pending.at(-1)?.seq ?? 0;
      },
      pending,
    },
    isLinked: () => isLinked,
    send: (message) => void sent.push(message),
  };
  const holding = holdTasks(parts as HoldingParts);
  return {
    leases,
    holding,
    pending,
    end: (of: LeasedTask) =>
      void pending.push({ seq: (pending.at(-1)?.seq ?? 0) + 1, digest: '', task: of, text: '' }),
    setLinked: (is: boolean) => void (isLinked = is),
    /** What was renewed since the last time, by index. */
    renewed: () =>
      sent
        .splice(0)
        .flatMap((message) => (message.is === 'renew' ? message.tasks.map(({ index }) => index) : [])),
  };
}

test('a lease lasts until the receipt of its task is accepted, however long the server takes to read it', () => {
  const { holding, pending, end, renewed } = openHolding();
  holding.leasesLast(30);
  holding.look(1_000);
  end(task(0));
  end(task(1));
  holding.look(5_999);
  assert.deepEqual(renewed(), []);
  holding.look(6_000);
  assert.deepEqual(renewed(), [], 'they may have come just now');
  end(task(2));
  holding.look(11_000);
  assert.deepEqual(renewed(), [0, 1]);
  pending.shift();
  holding.look(16_000);
  assert.deepEqual(renewed(), [1, 2]);
  pending.length = 0;
  holding.look(21_000);
  assert.deepEqual(renewed(), []);
});

test('of a task that is here again only the newer lease is renewed, when it is due', () => {
  const { leases, holding, end, renewed } = openHolding();
  holding.leasesLast(30);
  end(task(0, 1));
  holding.look(0);
  leases.take(task(0, 2), { order: '', seconds: 30 }, 1_000);
  holding.look(5_000);
  assert.deepEqual(renewed(), []);
  holding.look(11_000);
  assert.deepEqual(renewed(), [0]);
});

test('without a link nothing is asked for, and with a new one what still waits is', () => {
  const { holding, end, setLinked, renewed } = openHolding();
  holding.leasesLast(6);
  holding.look(0);
  end(task(0));
  holding.look(1_000);
  setLinked(false);
  holding.look(2_000);
  assert.deepEqual(renewed(), []);
  setLinked(true);
  holding.leasesLast(60);
  holding.look(60_000);
  assert.deepEqual(renewed(), [0]);
  holding.look(69_999);
  assert.deepEqual(renewed(), []);
  holding.look(70_000);
  assert.deepEqual(renewed(), [0]);
});
