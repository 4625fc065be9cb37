// needs: postgresql
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openPostgres } from './open-postgres.ts';
import { postgresWords } from './postgres-words.ts';
import { readDatabaseUrl } from './read-database-url.ts';
import { temporaryDatabase } from './testing/temporary-database.ts';
import { type TemporaryCluster, temporaryCluster } from './testing/temporary-cluster.ts';

const wait = (ms: number) => sleep(ms);
let cluster: TemporaryCluster;
before(async () => {
  cluster = await temporaryCluster();
});
after(() => cluster.remove());

test('a transaction that committed and one that did not are told apart', async () => {
  const { retry } = postgresWords(wait);
  assert.ok(retry);
  const database = await temporaryDatabase(cluster);
  await (await database.open()).close();
  const db = openPostgres(readDatabaseUrl(database.url), 'write', { wait, milliseconds: 1000 });
  const markOf = (isKept: boolean) => {
    let mark = '';
    return db
      .transaction()
      .execute(async (transaction) => {
        mark = await retry.mark(transaction);
        if (!isKept) throw new Error('taken back');
      })
      .then(
        () => mark,
        () => mark,
      );
  };
  const first = await markOf(true);
  assert.equal(await retry.wasCommitted(db, first), true);
  const takenBack = await markOf(false);
  assert.notEqual(takenBack, first);
  assert.equal(await retry.wasCommitted(db, takenBack), false);
  assert.equal(await retry.wasCommitted(db, first), true);
  await db.destroy();
  await database.remove();
});
