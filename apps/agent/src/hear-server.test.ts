import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Link } from './connect/link.ts';
import { openCredits } from './give-credits.ts';
import { hearServer } from './hear-server.ts';
import type { HearingParts } from './hear-server.ts';
import { openLeaseBook } from './lease-book.ts';

it('a server that accepts no receipts gets no more of them: its leases end the link, and are not looked at', async () => {
  let pendingCount = 0;
  let leases = 0;
  const parts: Partial<HearingParts> = {
    leases: openLeaseBook(),
    monotonic: () => 0,
    credits: openCredits({ slots: 1, held: () => 0, mayGive: () => false, send: () => undefined }),
    receipts: {
      accepted: () => undefined,
      get pendingCount() {
        return pendingCount;
      },
    },
    onLease: async () => {
      leases += 1;
      pendingCount += 500;
    },
  };
  const hear = hearServer(parts as HearingParts);
  const lease = { is: 'lease', at: 0, seconds: 30, tasks: [] } as unknown as Parameters<typeof hear>[1];
  const hearMany = async (): Promise<void> => {
    for (let count = 0; count < 1000; count += 1) {
      hear({} as Link, lease);
      await Promise.resolve();
    }
  };
  await assert.rejects(hearMany(), { code: 'link.closed' });
  assert.equal(leases, 40);
  pendingCount -= 500;
  hear({} as Link, lease);
  assert.equal(leases, 41);
});

it('a lease that was under way counts from when it was given, and one that is over by then ends the link', async () => {
  let now = 1_000;
  const begun: number[] = [];
  const heard: string[] = [];
  const waited = Promise.withResolvers<void>();
  const parts: Partial<HearingParts> = {
    leases: openLeaseBook(),
    monotonic: () => now,
    credits: openCredits({ slots: 1, held: () => 0, mayGive: () => false, send: () => undefined }),
    receipts: { accepted: () => undefined, pendingCount: 0 },
    wait: async () => await waited.promise,
    withdrawals: { take: async () => void heard.push('withdraw') } as unknown as HearingParts['withdrawals'],
    onLease: async (_message, since) => void begun.push(since),
  };
  const hear = hearServer(parts as HearingParts);
  const link = () =>
    ({ send: () => undefined, close: (why: Error) => void heard.push(why.message) }) as unknown as Link;
  const pong = link();
  const lease = (at: number) =>
    ({ is: 'lease', at, seconds: 30, tasks: [] }) as unknown as Parameters<typeof hear>[1];
  hear(pong, { is: 'ping', n: 0, at: 501_000 });
  now = 9_000;
  hear(pong, lease(504_000));
  assert.deepEqual(begun, [4_000]);
  now = 35_000;
  hear(pong, lease(505_000));
  // What came with it is heard; a lease is not, whatever it says: all that waited may come at once now.
  hear(pong, { is: 'withdraw', envelope: {} } as unknown as Parameters<typeof hear>[1]);
  hear(pong, lease(535_000));
  assert.deepEqual([begun, heard], [[4_000], ['withdraw']]);
  waited.resolve();
  await waited.promise;
  await Promise.resolve();
  assert.match(heard[1] ?? '', /under way for longer than it lasts/);
  hear(link(), lease(535_000));
  assert.deepEqual([begun.length, heard.length], [2, 2]);
});
