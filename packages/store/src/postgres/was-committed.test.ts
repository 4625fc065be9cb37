// needs: postgresql
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { openPostgres } from './open-postgres.ts';
import { postgresWords } from './postgres-words.ts';
import { readDatabaseUrl } from './read-database-url.ts';
import { type TemporaryCluster, temporaryCluster } from './testing/temporary-cluster.ts';

const wait = (ms: number) => sleep(ms);
let cluster: TemporaryCluster;
before(async () => {
  cluster = await temporaryCluster();
});
after(() => cluster.remove());

test('a transaction that committed, one that did not, one that is about to, and one of another server are told apart', async () => {
  const { retry } = postgresWords(wait);
  assert.ok(retry);
  const db = openPostgres(readDatabaseUrl(cluster.url('postgres')), 'read', { wait, milliseconds: 1000 });
  const nameOf = (isKept: boolean) => {
    let name = '';
    return db
      .transaction()
      .execute(async (transaction) => {
        name = await retry.nameOf(transaction);
        if (!isKept) throw new Error('taken back');
      })
      .then(
        () => name,
        () => name,
      );
  };
  assert.equal(await retry.wasCommitted(db, await nameOf(true)), true);
  assert.equal(await retry.wasCommitted(db, await nameOf(false)), false);

  const named = Promise.withResolvers<string>();
  const mayEnd = Promise.withResolvers<void>();
  const slow = db.transaction().execute(async (transaction) => {
    named.resolve(await retry.nameOf(transaction));
    await mayEnd.promise;
  });
  const asked = retry.wasCommitted(db, await named.promise);
  await sleep(150);
  mayEnd.resolve();
  await slow;
  assert.equal(await asked, true);

  const newest = await sql<{ name: string }>`select pg_current_xact_id()::text as name`.execute(db);
  const later = String(BigInt(newest.rows[0]?.name ?? '0') + 1_000_000n);
  assert.equal(await retry.wasCommitted(db, later), null);
  await db.destroy();
});
