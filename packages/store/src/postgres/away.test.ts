// needs: postgresql
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  at,
  claim,
  counted,
  digest,
  id,
  leasesOf,
  newJob,
  openReady,
  receipt,
} from '../conformance/samples.ts';
import { openStore } from '../open-store.ts';
import { type ProxyRule, startCuttingProxy } from './testing/cutting-proxy.ts';
import type { Store } from '../store.ts';
import { type TemporaryCluster, temporaryCluster } from './testing/temporary-cluster.ts';
import { temporaryDatabase } from './testing/temporary-database.ts';

const wait = (ms: number) => sleep(ms);
const letters = (n: number): string => [...String(n)].map((figure) => 'cdefghijkl'[Number(figure)]).join('');
let cluster: TemporaryCluster;
let database: Awaited<ReturnType<typeof temporaryDatabase>>;
before(async () => {
  cluster = await temporaryCluster();
});
after(() => cluster.remove());
beforeEach(async () => {
  database = await temporaryDatabase(cluster);
  await (await openReady(database)).close();
});

/** Writes until it is told to stop, and keeps what it was told is durable. */
function keepWriting(store: Store, name: string) {
  const said: string[] = [];
  const failures: unknown[] = [];
  let isStopped = false;
  const ended = (async () => {
    for (let n = 0; !isStopped; n += 1) {
      try {
        const job = newJob(`${name}${letters(n)}b`, { size: 3 });
        const answer = await store.jobs.submit(job, at(10));
        assert.equal(answer.is, 'added', 'a submission that stood is not run a second time');
        said.push(`submitted ${job.id}`);
        const [lease] = leasesOf(await claim(store, 'one', 1, 11));
        if (!lease) continue;
        const done = receipt('one', lease, { digest: digest(`receipt ${lease.job}.${lease.index}`) });
        const [accepted] = await store.leases.accept([done], at(12));
        assert.equal(accepted?.isDuplicate, false, 'nor a receipt');
        if (accepted?.is === 'accepted') said.push(`accepted ${lease.job} ${lease.index}`);
      } catch (cause) {
        failures.push(cause);
        if (cause instanceof assert.AssertionError) return;
        await sleep(20);
      }
    }
  })();
  return {
    said,
    failures,
    async stop() {
      isStopped = true;
      await ended;
    },
  };
}

async function assertAllThere(store: Store, said: readonly string[]): Promise<void> {
  for (const line of said) {
    const [what, job = '', index] = line.split(' ');
    if (what === 'submitted') assert.ok(await store.jobs.readJob(job), line);
    else assert.equal((await store.jobs.readTask(job, Number(index)))?.state, 'succeeded', line);
  }
  assert.equal((await store.audit.verifyAudit()).isWhole, true);
  for (const job of (await store.jobs.listJobs({ after: null, limit: 1000 })).items) {
    const tally: Record<string, number> = {};
    for (const task of (await store.jobs.listTasks(job.id, { after: null, limit: 10 })).items)
      tally[task.state] = (tally[task.state] ?? 0) + 1;
    assert.deepEqual(await counted(store, job.id), tally);
  }
}

test('what was acknowledged before PostgreSQL was killed is there after its start, and writing goes on by itself', async () => {
  const store = await database.open();
  const writers = ['x', 'y', 'z'].map((name) => keepWriting(store, name));
  const count = () => writers.reduce((sum, writer) => sum + writer.said.length, 0);
  for (let kill = 0; kill < 3; kill += 1) {
    const before = count();
    while (count() < before + 40) await sleep(5);
    await cluster.stop('kill');
    await cluster.start();
  }
  const last = count();
  while (count() < last + 10) await sleep(5);
  for (const writer of writers) await writer.stop();
  // Whether a commit that was cut off stood is asked, not guessed: nobody has to ask again.
  assert.deepEqual(
    writers.flatMap((writer) => writer.failures),
    [],
  );
  await assertAllThere(
    store,
    writers.flatMap((writer) => writer.said),
  );
  await store.close();
  await database.remove();
});

test('connections that are ended behind its back, again and again, lose nothing and do nothing twice', async () => {
  const store = await database.open();
  const writer = keepWriting(store, 'x');
  for (let round = 0; round < 25; round += 1) {
    const had = writer.said.length;
    while (writer.said.length < had + 2) await sleep(2);
    await sleep(round % 7);
    await cluster.query(
      'postgres',
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'writ write'`,
    );
  }
  await writer.stop();
  assert.deepEqual(writer.failures, []);
  assert.ok(writer.said.length > 25);
  await assertAllThere(store, writer.said);
  await store.close();
  await database.remove();
});

test('reads whose connections are ended under them are asked once more, also when all of them are at once', async () => {
  const store = await database.open();
  await store.jobs.submit(newJob('there'), at(10));
  // Until eight reads wait for the lock: as many as there are connections.
  const cutting = cluster.query(
    database.name,
    `do $$ begin
       lock table writ.job in access exclusive mode;
       loop
         perform pg_stat_clear_snapshot();
         exit when (select count(*) from pg_stat_activity
           where application_name = 'writ read' and wait_event_type = 'Lock') = 8;
         perform pg_sleep(0.01);
       end loop;
       perform pg_terminate_backend(pid) from pg_stat_activity where application_name = 'writ read';
     end $$`,
  );
  const isLocked = async () =>
    await cluster.query(
      database.name,
      `select from pg_locks where relation = 'writ.job'::regclass and mode = 'AccessExclusiveLock' and granted`,
    );
  while ((await isLocked()).length === 0) await sleep(5);
  const reads = Promise.all(Array.from({ length: 20 }, () => store.jobs.readJob(id('there'))));
  const [jobs] = await Promise.all([reads, cutting]);
  for (const job of jobs) assert.equal(job?.id, id('there'));
  await store.close();
  await database.remove();
});

test('while PostgreSQL is away reads and writes fail with a code after a while, and it is found again', async () => {
  const store = await openStore({ url: database.url, wait, patienceMs: 300 });
  await store.jobs.submit(newJob('before'), at(10));
  await cluster.stop('fast');
  try {
    const isAway = {
      code: 'store.unavailable',
      message: /PostgreSQL with database writ_\d+ at .* cannot be reached/,
    };
    await assert.rejects(store.jobs.readJob(id('before')), isAway);
    const started = performance.now();
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => store.jobs.submit(newJob(`during${letters(n)}`), at(11))),
    );
    for (const answer of answers)
      assert.equal(
        answer.status === 'rejected' && (answer.reason as { code?: string }).code,
        'store.unavailable',
      );
    assert.ok(performance.now() - started < 3000, 'they wait together, not one after the other');
    await assert.rejects(openStore({ url: database.url, wait, patienceMs: 200 }), isAway);
  } finally {
    await cluster.start();
  }
  assert.ok(await store.jobs.readJob(id('before')));
  assert.equal((await store.jobs.submit(newJob('after'), at(12))).is, 'added');
  await store.close();
  await database.remove();
});

for (const [moment, words] of [
  ['before', 'a commit that never reached PostgreSQL is run again'],
  ['after', 'a commit that stood, though its answer was lost, is answered and not run again'],
] as const) {
  test(words, async () => {
    const rule: ProxyRule = { cut: null, cuts: 0, isQuestionCut: false };
    await using proxy = await startCuttingProxy(cluster.folder, rule);
    const url = `postgres://writ@/${database.name}?host=${encodeURIComponent(proxy.folder)}`;
    const store = await openStore({ url, wait, patienceMs: 5_000 });
    for (let n = 0; n < 5; n += 1) {
      rule.cut = moment;
      rule.isQuestionCut = true;
      const answers = await Promise.all(
        ['a', 'b', 'a'].map((name) =>
          store.jobs.submit(newJob(`${name}${letters(n)}b`, { size: 3 }), at(10)),
        ),
      );
      assert.deepEqual(
        answers.map((answer) => answer.is),
        ['added', 'added', 'same'],
        'the first answer, not that of a second run',
      );
      assert.deepEqual([rule.cut, rule.isQuestionCut], [null, false], 'both were cut');
    }
    assert.equal(rule.cuts, 5);
    assert.equal((await store.jobs.listJobs({ after: null, limit: 100 })).items.length, 10);
    assert.equal(await store.jobs.newestChange(), 5, 'one change number for each group: nothing stood twice');
    assert.equal((await store.audit.verifyAudit()).isWhole, true);
    await store.close();
    await database.remove();
  });
}
