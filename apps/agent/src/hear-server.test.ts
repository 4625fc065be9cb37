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
  const lease = { is: 'lease', at: 0, tasks: [] } as unknown as Parameters<typeof hear>[1];
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
