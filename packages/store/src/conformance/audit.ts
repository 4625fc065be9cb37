import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashRecord } from '../audit/hash-record.ts';
import type { AuditReport } from '../audit/audit.ts';
import type { MakeDatabase } from './database-under-test.ts';
import { at, claim, id, leasesOf, newJob, receipt, withStore } from './samples.ts';

/** What is done to the trail, and what the verifier must say. Records are numbered from 1. */
const ATTACKS: readonly {
  readonly name: string;
  readonly statements: readonly string[];
  readonly says: Partial<AuditReport>;
}[] = [
  {
    name: 'a changed actor',
    statements: [`update audit set actor = 'mallory' where seq = 4`],
    says: { firstBad: 4, fault: 'hash' },
  },
  {
    name: 'a changed count',
    statements: [`update audit set count = count + 1 where seq = 5`],
    says: { firstBad: 5, fault: 'hash' },
  },
  {
    name: 'a deleted record',
    statements: [`delete from audit where seq = 4`],
    says: { firstBad: 4, fault: 'missing' },
  },
  {
    name: 'a deleted record, the rest moved up',
    statements: [
      `delete from audit where seq = 4`,
      `update audit set seq = -(seq - 1) where seq > 4`,
      `update audit set seq = -seq where seq < 0`,
    ],
    says: { firstBad: 4, fault: 'hash' },
  },
  {
    name: 'an inserted record',
    statements: [
      `update audit set seq = -(seq + 1) where seq > 3`,
      `update audit set seq = -seq where seq < 0`,
      `insert into audit select 4, time, 'mallory', source, action, object, outcome, count, detail, hash, hash from audit where seq = 3`,
    ],
    says: { firstBad: 4, fault: 'hash' },
  },
  {
    name: 'two records in each other’s place',
    statements: [
      `update audit set seq = -4 where seq = 4`,
      `update audit set seq = 4 where seq = 5`,
      `update audit set seq = 5 where seq = -4`,
    ],
    says: { firstBad: 4, fault: 'hash' },
  },
  {
    name: 'a previous hash and its own hash of another chain',
    statements: [`update audit set hash = previous where seq = 4`],
    says: { firstBad: 4, fault: 'hash' },
  },
  {
    name: 'the last record cut off',
    statements: [`delete from audit where seq = (select max(seq) from audit)`],
    says: { fault: 'head' },
  },
];

export function testAudit(make: MakeDatabase): void {
  for (const attack of ATTACKS) {
    test(
      `the audit trail shows ${attack.name}`,
      withStore(make, async (store, database) => {
        for (const name of ['a', 'b', 'c', 'd']) await store.jobs.submit(newJob(name), at(10));
        assert.equal((await store.audit.verifyAudit()).isWhole, true);
        for (const statement of attack.statements) await database.tamper(statement);
        const report = await store.audit.verifyAudit();
        assert.equal(report.isWhole, false);
        assert.deepEqual({ ...report, ...attack.says }, report);
      }),
    );
  }

  test(
    'a record that is changed and hashed anew does not fit the one after it, whatever that one says it follows',
    withStore(make, async (store, database) => {
      for (const name of ['a', 'b', 'c', 'd']) await store.jobs.submit(newJob(name), at(10));
      const records = (await store.audit.listRecords({ after: null, limit: 50 })).items;
      const fourth = records.find((record) => record.seq === 4);
      assert.ok(fourth);
      const hash = hashRecord({ ...fourth, actor: 'mallory' });
      await database.tamper(`update audit set actor = 'mallory', hash = '${hash}' where seq = 4`);
      assert.deepEqual(await store.audit.verifyAudit(), {
        isWhole: false,
        records: 4,
        firstBad: 5,
        fault: 'order',
      });
      await database.tamper(`update audit set previous = '${hash}' where seq = 5`);
      assert.deepEqual(await store.audit.verifyAudit(), {
        isWhole: false,
        records: 4,
        firstBad: 5,
        fault: 'hash',
      });
    }),
  );

  test(
    'the trail counts every state change, one record for each kind, job and transaction (I7)',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('many', { size: 10 }), at(10));
      const leases = leasesOf(await claim(store, 'one', 6, 11));
      const offered = leases
        .slice(0, 4)
        .map((lease, n) => receipt('one', lease, n === 1 ? { outcome: 'failed' } : {}));
      await store.leases.accept([...offered, receipt('two', leases[4]!)], at(12));
      await store.leases.cancel({ job: id('many'), indexes: null, how: 'kill', by: at(13, 'ana') });
      const records = (
        await store.audit.listRecords({ after: null, limit: 50, object: id('many') })
      ).items.toReversed();
      assert.deepEqual(
        records.map((record) => [
          record.action,
          record.outcome,
          record.count,
          record.detail.replace(/(to|from) ed25519:\S+ /, ''),
        ]),
        [
          ['job.submitted', 'done', 1, `10 tasks, order ${newJob('many').digest}`],
          ['task.leased', 'done', 6, 'tasks 0-5'],
          ['task.succeeded', 'done', 3, 'tasks 0,2-3'],
          ['task.failed', 'done', 1, 'tasks 1'],
          ['receipt.refused', 'refused', 1, `lease.stale from ${'ed25519:two'.padEnd(51, 'A')}`],
          ['task.cancelled', 'done', 4, 'tasks 6-9'],
          ['task.cancel_asked', 'done', 2, 'kill tasks 4-5'],
        ],
      );
      assert.equal(records.at(-1)?.actor, 'ana');
    }),
  );

  test(
    'words that no database keeps as they are leave the trail whole and the write possible',
    withStore(make, async (store) => {
      for (const words of ['half a letter \u{d800}', 'NUL \0', 'both \u{dfff}\0 and 🦉'])
        await store.audit.record({
          action: words,
          object: words,
          outcome: 'refused',
          detail: words,
          by: { actor: words, source: words, now: 5 },
        });
      assert.equal((await store.audit.verifyAudit()).isWhole, true);
      const [last] = (await store.audit.listRecords({ after: null, limit: 1 })).items;
      assert.equal(last?.object, 'both \u{fffd}\u{fffd} and 🦉');
    }),
  );

  test(
    'a refused act and an act outside the tables are recorded, also many in one turn',
    withStore(make, async (store) => {
      const record = (object: string) =>
        store.audit.record({
          action: 'auth.refused',
          object,
          outcome: 'refused',
          detail: 'unknown token',
          by: at(5),
        });
      await Promise.all([record('GET /'), record('GET /'), record('POST /')]);
      const records = (await store.audit.listRecords({ after: null, limit: 2 })).items;
      assert.deepEqual(
        records.map((item) => [item.object, item.count]),
        [
          ['POST /', 1],
          ['GET /', 2],
        ],
      );
      assert.deepEqual(await store.audit.head(), { seq: records[0]?.seq, hash: records[0]?.hash });
    }),
  );
}
