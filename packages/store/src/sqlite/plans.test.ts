import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import {
  at,
  claimLimited,
  CLASS,
  id,
  identity,
  leasesOf,
  newJob,
  receipt,
  withStore,
} from '../conformance/samples.ts';
import { temporaryDatabase } from './temporary-database.ts';

/** Walks that grow with all that ever was: of a table, of all tasks of a job, of all jobs of a queue or a project. */
const HISTORY = [
  /^SCAN (?:task|job)(?: USING (?:COVERING )?INDEX (?:job_by_\w+|task_change))?$/,
  /^SEARCH task USING (?:PRIMARY KEY|(?:COVERING )?INDEX task_change) \(job=\?\)$/,
  /^SEARCH job USING (?:COVERING )?INDEX job_by_(?:queue|project|person) /,
];

test('no statement of a claim, a cancel, an expiry, a queue or a list by state walks the history', async (t) => {
  const texts = new Set<string>();
  const { prepare } = DatabaseSync.prototype;
  t.mock.method(DatabaseSync.prototype, 'prepare', function record(this: DatabaseSync, text: string) {
    texts.add(text);
    return prepare.call(this, text);
  });
  const database = await temporaryDatabase();
  const open = async () => database;
  await withStore(open, async (store) => {
    texts.clear();
    await store.jobs.submit(newJob('job', { size: 9 }), at(1));
    await store.jobs.submit(newJob('late', { notAfter: 50 }), at(1));
    const limits = [{ queue: 'default', classes: [CLASS], most: 5 }];
    const [first, second] = leasesOf((await claimLimited(store, 'one', 2, 10, limits)).jobs);
    assert.ok(first && second);
    await store.leases.handBack(identity('one'), [first], at(11));
    await claimLimited(store, 'one', 1, 12, limits);
    await store.leases.accept([receipt('one', second, { outcome: 'failed', exit: { code: 1 } })], at(13));
    await store.leases.cancel({ job: id('job'), indexes: null, how: 'kill', by: at(14) });
    await store.leases.lapse(at(20));
    await store.leases.expire(at(100));
    await store.queues.countTasks('default', [CLASS]);
    await store.jobs.classesWithWork(100);
    await store.retention.forgetClasses([CLASS]);
    await store.jobs.listTasks(id('job'), { after: null, limit: 1, states: ['failed'] });
    for (const by of [{ queue: 'default' }, { project: 'default' }, { person: id('person') }])
      await store.jobs.listJobs({ after: null, limit: 10, states: ['failed'], ...by });

    const asked = [...texts].filter((text) => /^\s*(?:select|update|delete)\b/i.test(text));
    assert.ok(asked.length > 20);
    assert.deepEqual(walksOf(database.file, asked), []);
    // Such a walk is seen.
    const walk = `select count(*) from task join job on job.seq = task.job where lease_until > 0 and queue = 'x'`;
    assert.equal(walksOf(database.file, [walk]).length, 2);
  })();
});

function walksOf(file: string, texts: readonly string[]): string[] {
  const database = new DatabaseSync(file, { readOnly: true });
  const found = texts.flatMap((text) =>
    database
      .prepare(`explain query plan ${text}`)
      .all()
      .map((step) => String(step['detail']))
      .filter((step) => HISTORY.some((walk) => walk.test(step)))
      .map((step) => `${step}: ${text.replaceAll(/\s+/g, ' ')}`),
  );
  database.close();
  return found;
}
