import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Store } from '../store.ts';
import type { MakeDatabase } from './database-under-test.ts';
import { at, claim, envelope, id, leasesOf, newJob, receipt, withStore } from './samples.ts';

const MIB = 1024 * 1024;

export function testReceipts(make: MakeDatabase): void {
  test(
    'a page of receipts ends where it is long enough in bytes, has one at least, and the next one goes on there',
    withStore(make, async (store) => {
      const sizes = [3, 3, 3, 9, 1, 1];
      await store.jobs.submit(newJob('long', { size: sizes.length }), at(10));
      const leases = leasesOf(await claim(store, 'one', sizes.length, 11));
      const offered = leases.map((lease) =>
        receipt('one', lease, { envelope: envelope('x'.repeat((sizes[lease.index] ?? 0) * MIB)) }),
      );
      await store.leases.accept(offered, at(12));
      assert.deepEqual(await readPages(store, 100), [[0, 1], [2], [3], [4, 5]]);
      assert.deepEqual(await readPages(store, 1), [[0], [1], [2], [3], [4], [5]]);
    }),
  );
}

async function readPages(store: Store, limit: number): Promise<number[][]> {
  const pages: number[][] = [];
  let after: string | null = null;
  do {
    const { items, next }: Awaited<ReturnType<Store['jobs']['listReceipts']>> = await store.jobs.listReceipts(
      id('long'),
      { after, limit },
    );
    pages.push(items.map((item) => item.index));
    after = next;
  } while (after !== null && pages.length < 20);
  return pages;
}
