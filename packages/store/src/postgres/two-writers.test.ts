// needs: postgresql
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { at, CLASS, digest, id, identity, newJob, openReady } from '../conformance/samples.ts';
import { submitJob } from '../jobs/submit-job.ts';
import { claimTasks } from '../leases/claim-tasks.ts';
import { openStore } from '../open-store.ts';
import { writeInGroups } from '../write-in-groups.ts';
import { openPostgres } from './open-postgres.ts';
import { postgresWords } from './postgres-words.ts';
import { readDatabaseUrl } from './read-database-url.ts';
import { type TemporaryCluster, temporaryCluster } from './testing/temporary-cluster.ts';
import { temporaryDatabase } from './testing/temporary-database.ts';

const wait = (ms: number) => sleep(ms);
let cluster: TemporaryCluster;
before(async () => {
  cluster = await temporaryCluster();
});
after(() => cluster.remove());

test('a second server on one database is refused in words while the first runs, and let in after it', async () => {
  const database = await temporaryDatabase(cluster);
  const first = await database.open();
  await assert.rejects(openStore({ url: database.url, wait, patienceMs: 300 }), {
    code: 'store.in_use',
    message: /Another server of Writ writes to this database/,
  });
  await first.close();
  await (await database.open()).close();
  await database.remove();
});

test('what two writers do at once is what one after the other would do: one job of one id, no task leased twice, one chain', async () => {
  const database = await temporaryDatabase(cluster);
  await (await openReady(database)).close();
  const conflicts: unknown[] = [];
  const words = postgresWords(wait);
  const counting = {
    ...words,
    retry: {
      ...words.retry!,
      failureOf(cause: unknown) {
        const failure = words.retry!.failureOf(cause);
        if (failure === 'again') conflicts.push(cause);
        return failure;
      },
    },
  };
  const connections = [0, 1].map(() =>
    // Connections that do not hold the database: what a second server would be.
    openPostgres(readDatabaseUrl(database.url), 'read', { wait, milliseconds: 1000 }),
  );
  const writers = connections.map((connection) => writeInGroups(connection, counting, () => undefined));
  const both = <T>(operation: (writer: (typeof writers)[number], n: number) => Promise<T>) =>
    Promise.all(writers.map(operation));

  let submissions = 0;
  for (let round = 0; round < 15; round += 1) {
    const answers = await both((writer) =>
      writer.write((write) =>
        submitJob(write, newJob(`same${'abcdefghijklmno'[round]}`, { size: 9 }), at(10)),
      ),
    );
    assert.deepEqual(answers.map((answer) => answer.is).sort(), ['added', 'same']);
    submissions += 1;
  }
  const others = await both((writer, n) =>
    writer.write((write) => submitJob(write, newJob('other', { digest: digest(`order ${n}`) }), at(11))),
  );
  assert.deepEqual(others.map((answer) => answer.is).sort(), ['added', 'conflict']);

  const leased: string[] = [];
  for (let round = 0; round < 15; round += 1) {
    const claims = await both((writer, n) =>
      writer.write((write) =>
        claimTasks(write, {
          identity: identity(n === 0 ? 'one' : 'two'),
          classes: [CLASS],
          max: 4,
          leaseSeconds: 30,
          by: at(12),
        }),
      ),
    );
    for (const job of claims.flatMap((one) => one.jobs))
      for (const task of job.tasks) leased.push(`${job.job}.${task.index} ${task.token.n}`);
  }
  assert.equal(leased.length, 15 * 2 * 4);
  assert.equal(new Set(leased.map((lease) => lease.split(' ')[0])).size, leased.length, 'no task twice');
  assert.ok(conflicts.length > 0, 'they did meet');

  await both((writer) => writer.finish());
  for (const connection of connections) await connection.destroy();
  const store = await database.open();
  assert.equal((await store.jobs.listJobs({ after: null, limit: 100 })).items.length, submissions + 1);
  assert.equal((await store.audit.verifyAudit()).isWhole, true);
  assert.ok(await store.jobs.readJob(id('other')));
  await store.close();
  await database.remove();
});
