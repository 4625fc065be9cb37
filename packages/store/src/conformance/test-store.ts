import { suite, test } from 'node:test';
import { testAgainstModel } from './against-model.ts';
import { testAudit } from './audit.ts';
import type { MakeDatabase } from './database-under-test.ts';
import { testJobs } from './jobs.ts';
import { testLeases } from './leases.ts';
import { testQueues } from './queues.ts';
import { testReceipts } from './receipts.ts';
import { testRetention } from './retention.ts';
import { withStore } from './samples.ts';
import { testTrust } from './trust.ts';

/** What every database must do. Says which one it was. */
export function testStore(make: MakeDatabase): void {
  suite('a store', () => {
    test(
      'names its database',
      withStore(make, async (store) => {
        console.log(`store: ${store.database}`);
      }),
    );
    testJobs(make);
    testLeases(make);
    testQueues(make);
    testReceipts(make);
    testRetention(make);
    testTrust(make);
    testAudit(make);
    testAgainstModel(make);
  });
}
