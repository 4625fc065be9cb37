// needs: postgresql
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { withStore } from '../conformance/samples.ts';
import { testStore } from '../conformance/test-store.ts';
import { type TemporaryCluster, temporaryCluster } from './testing/temporary-cluster.ts';
import { temporaryDatabase } from './testing/temporary-database.ts';

let cluster: TemporaryCluster;
before(async () => {
  cluster = await temporaryCluster();
});
after(() => cluster.remove());
const database = () => temporaryDatabase(cluster);

testStore(database);

test(
  'the suite ran on PostgreSQL, and the store says how it writes, as the connection has it',
  withStore(database, async (store) => {
    assert.match(
      store.database,
      /^postgresql 1[5-9]\.\d+, synchronous_commit on, fsync on, full_page_writes on, transactions serializable, no TLS \(this machine\)$/,
    );
  }),
);
