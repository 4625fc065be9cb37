import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MakeDatabase } from './database-under-test.ts';
import {
  at,
  claim,
  counted,
  id,
  identity,
  leasesOf,
  LEASE_SECONDS,
  newJob,
  openReady,
  receipt,
  withStore,
} from './samples.ts';

const LEASE = LEASE_SECONDS * 1000;

export function testLeases(make: MakeDatabase): void {
  test(
    'work is leased by priority, then by age; of a job first what came back',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('old', { size: 3 }), at(10));
      await store.jobs.submit(newJob('new', { size: 2 }), at(11));
      await store.jobs.submit(newJob('urgent', { priority: 5 }), at(12));
      const [urgent, ...old] = leasesOf(await claim(store, 'one', 3, 20));
      assert.equal(urgent?.job, id('urgent'));
      assert.deepEqual(
        old.map((lease) => lease.index),
        [0, 1],
      );
      await store.leases.handBack(identity('one'), old, at(21));
      const again = leasesOf(await claim(store, 'two', 10, 22));
      assert.deepEqual(
        again.map((lease) => [lease.job, lease.index, lease.attempt]),
        [
          [id('old'), 0, 1],
          [id('old'), 1, 1],
          [id('old'), 2, 1],
          [id('new'), 0, 1],
          [id('new'), 1, 1],
        ],
      );
    }),
  );

  test(
    'of many jobs in two classes the claim still goes by age',
    withStore(make, async (store) => {
      const other = await store.jobs.classId('{"class":2}');
      for (let n = 0; n < 60; n += 1) {
        const name = `${'abcdefghijklmnopqrstuvwxyz'[n % 26]}${'abc'[Math.floor(n / 26)]}`;
        await store.jobs.submit(newJob(name, { class: n < 30 || n % 3 === 0 ? 1 : other }), at(n));
      }
      const seqs: number[] = [];
      for (const lease of leasesOf(await claim(store, 'one', 50, 100, [1, other])))
        seqs.push((await store.jobs.readJob(lease.job))?.seq ?? 0);
      assert.deepEqual(
        seqs,
        Array.from({ length: 50 }, (_, n) => n + 1),
      );
    }),
  );

  test(
    'only asked classes are leased, and no excluded job',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('mine'), at(10));
      await store.jobs.submit(newJob('next'), at(10));
      assert.deepEqual(await claim(store, 'one', 5, 11, [77]), []);
      assert.deepEqual(await store.jobs.classesWithWork(11), [1]);
      assert.deepEqual(
        leasesOf(await claim(store, 'one', 5, 11, [1], [id('mine')])).map((lease) => lease.job),
        [id('next')],
      );
    }),
  );

  test(
    'nothing is leased before its not-before or from its not-after on',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('later', { notBefore: 1000, notAfter: 2000 }), at(10));
      assert.deepEqual(await claim(store, 'one', 5, 999), []);
      assert.deepEqual(await store.jobs.classesWithWork(1000), [1]);
      assert.deepEqual(await claim(store, 'one', 5, 2000), []);
      assert.equal(leasesOf(await claim(store, 'one', 5, 1000)).length, 1);
    }),
  );

  test(
    'two claims at once share no task, and tokens strictly rise (I3, I4)',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('shared', { size: 100 }), at(10));
      const claims = await Promise.all(
        Array.from({ length: 10 }, (_, n) => claim(store, n % 2 ? 'one' : 'two', 15, 11)),
      );
      const leases = claims.flatMap(leasesOf);
      assert.equal(leases.length, 100);
      assert.equal(new Set(leases.map((lease) => lease.index)).size, 100);
      const tokens = leases.map((lease) => lease.token.n);
      assert.deepEqual(
        tokens,
        [...tokens].sort((a, b) => a - b),
      );
      assert.equal(new Set(tokens).size, 100);
    }),
  );

  test(
    'a late writer with an old token is refused after the task was leased again, and its receipt is kept and marked (I2, I3)',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('late'), at(10));
      const [old] = leasesOf(await claim(store, 'one', 1, 11));
      assert.ok(old);
      await store.leases.lapse(at(11 + LEASE));
      const [young] = leasesOf(await claim(store, 'two', 1, 12 + LEASE));
      assert.ok(young);
      assert.ok(young.token.n > old.token.n);
      const late = receipt('one', old);
      const [refused] = await store.leases.accept([late], at(13 + LEASE));
      assert.equal(refused?.is, 'stale');
      assert.equal(refused.code, 'lease.stale');
      assert.deepEqual(await counted(store, id('late')), { leased: 1 });
      const stolen = receipt('one', young);
      assert.equal(
        (await store.leases.accept([stolen], at(13 + LEASE)))[0]?.is,
        'stale',
        'the right token from another identity',
      );
      const otherEpoch = receipt('two', { ...young, token: { epoch: 2, n: young.token.n } });
      assert.equal(
        (await store.leases.accept([otherEpoch], at(13 + LEASE)))[0]?.is,
        'stale',
        'a token of another epoch',
      );
      const otherAttempt = receipt('two', { ...young, attempt: young.attempt + 1 });
      assert.equal(
        (await store.leases.accept([otherAttempt], at(13 + LEASE)))[0]?.is,
        'stale',
        'another attempt',
      );
      const [accepted] = await store.leases.accept([receipt('two', young)], at(14 + LEASE));
      assert.equal(accepted?.is, 'accepted');
      assert.equal(
        (await store.leases.accept([receipt('two', young, { outcome: 'failed' })], at(15 + LEASE)))[0]?.is,
        'stale',
        'a second result',
      );
      const receipts = await store.jobs.listReceipts(id('late'), { after: null, limit: 10 });
      assert.deepEqual(
        [receipts.items.length, receipts.items.filter((item) => item.isAccepted).length],
        [6, 1],
      );
      assert.deepEqual(
        (await store.jobs.readReceipt(id('late'), late.index, late.digest))?.envelope,
        late.envelope,
      );
    }),
  );

  test(
    'the same receipt again gets the same answer and changes nothing, also twice in one message',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('twice', { size: 2 }), at(10));
      const [a, b] = leasesOf(await claim(store, 'one', 2, 11));
      assert.ok(a && b);
      const good = receipt('one', a);
      const bad = receipt('one', b, { refusedBy: 'receipt.signature_bad' });
      const first = await store.leases.accept([good, good, bad], at(12));
      assert.deepEqual(
        first.map((answer) => [answer.is, answer.isDuplicate]),
        [
          ['accepted', false],
          ['accepted', true],
          ['refused', false],
        ],
      );
      const again = await store.leases.accept([good, bad], at(13));
      assert.deepEqual(
        again.map((answer) => [answer.is, answer.isDuplicate, answer.code]),
        [
          ['accepted', true, null],
          ['refused', true, 'receipt.signature_bad'],
        ],
      );
      assert.deepEqual(await counted(store, id('twice')), { leased: 1, succeeded: 1 });
      assert.equal((await store.trust.readAgent(identity('one')))?.tasksDone, 1);
      assert.equal((await store.trust.readAgent(identity('one')))?.receiptSeq, Math.max(good.seq, bad.seq));
    }),
  );

  test(
    'a receipt for a job that nobody knows is kept and accepted by nothing',
    withStore(make, async (store) => {
      const stray = receipt('one', { job: id('nowhere'), index: 0, attempt: 1, token: { epoch: 1, n: 1 } });
      assert.equal((await store.leases.accept([stray], at(12)))[0]?.is, 'stale');
      assert.equal(
        (await store.jobs.listReceipts(id('nowhere'), { after: null, limit: 10 })).items.length,
        0,
      );
    }),
  );

  test(
    'a lost lease counts as a start, and attempts never exceed the maximum (I5)',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('lossy', { maxAttempts: 3 }), at(10));
      let now = 100;
      const attempts: number[] = [];
      for (let round = 0; round < 5; round += 1) {
        attempts.push(...leasesOf(await claim(store, 'one', 1, now)).map((lease) => lease.attempt));
        now += LEASE;
        await store.leases.lapse(at(now));
      }
      assert.deepEqual(attempts, [1, 2, 3]);
      assert.deepEqual(await counted(store, id('lossy')), { failed: 1 });
      const history = await store.jobs.listAttempts(id('lossy'), 0);
      assert.deepEqual(
        history.map((attempt) => [attempt.attempt, attempt.outcome]),
        [
          [1, 'lost'],
          [2, 'lost'],
          [3, 'lost'],
        ],
      );
    }),
  );

  test(
    'work handed back uses up no attempt; work that started is not taken back',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('back', { size: 2, maxAttempts: 1 }), at(10));
      const leases = leasesOf(await claim(store, 'one', 2, 11));
      assert.deepEqual(await store.leases.markStarted(identity('one'), leases.slice(0, 1), at(12)), {
        lost: [],
      });
      const released = await store.leases.handBack(identity('one'), leases, at(13));
      assert.deepEqual(
        released.tasks.map((task) => [task.index, task.state]),
        [[1, 'waiting']],
      );
      const [again] = leasesOf(await claim(store, 'two', 5, 14));
      assert.deepEqual([again?.index, again?.attempt], [1, 1]);
      assert.equal(
        (await store.leases.handBack(identity('two'), leases, at(15))).tasks.length,
        0,
        'old tokens hand nothing back',
      );
      const history = await store.jobs.listAttempts(id('back'), 1);
      assert.deepEqual(
        history.map((attempt) => [attempt.attempt, attempt.outcome]),
        [
          [1, 'returned'],
          [1, null],
        ],
      );
    }),
  );

  test(
    'a failed task is tried again only where the order says so; a broken sandbox always is',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('strict'), at(10));
      await store.jobs.submit(newJob('retry', { retryOnFailure: true }), at(10));
      await store.jobs.submit(newJob('sandbox'), at(10));
      const leases = leasesOf(await claim(store, 'one', 3, 11));
      const offered = leases.map((lease, n) =>
        receipt('one', lease, {
          outcome: 'failed',
          because: n === 2 ? 'sandbox' : 'exit',
          exit: { code: 1 },
        }),
      );
      assert.deepEqual(
        (await store.leases.accept(offered, at(12))).map((answer) => answer.state),
        ['failed', 'waiting', 'waiting'],
      );
      assert.deepEqual(
        leasesOf(await claim(store, 'one', 3, 13)).map((lease) => lease.attempt),
        [2, 2],
      );
    }),
  );

  test(
    'an agent that says that its lease was over has lost the attempt, and done nothing',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('again'), at(10));
      await store.jobs.submit(newJob('once', { isOnce: true, maxAttempts: 1 }), at(10));
      const leases = leasesOf(await claim(store, 'one', 2, 11));
      const offered = leases.map((lease) =>
        receipt('one', lease, { outcome: 'lost', because: 'lost', exit: null }),
      );
      assert.deepEqual(
        (await store.leases.accept(offered, at(12))).map((answer) => [answer.is, answer.state]),
        [
          ['accepted', 'waiting'],
          ['accepted', 'unknown'],
        ],
      );
      assert.deepEqual(
        (await store.jobs.listAttempts(id('again'), 0)).map(({ attempt, outcome }) => [attempt, outcome]),
        [[1, 'lost']],
      );
      assert.deepEqual(
        leasesOf(await claim(store, 'two', 2, 13)).map((lease) => lease.attempt),
        [2],
      );
      assert.equal((await store.trust.readAgent(identity('one')))?.tasksDone, 0);
    }),
  );

  test(
    'a task that may run once ends unknown when its agent vanishes, started or not',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('once', { isOnce: true, maxAttempts: 1, size: 2 }), at(10));
      const leases = leasesOf(await claim(store, 'one', 2, 11));
      await store.leases.markStarted(identity('one'), leases.slice(0, 1), at(12));
      await store.leases.lapse(at(11 + LEASE));
      assert.deepEqual(await counted(store, id('once')), { unknown: 2 });
      assert.equal((await store.jobs.readJob(id('once')))?.state, 'unknown');
      assert.deepEqual(await claim(store, 'two', 5, 12 + LEASE), []);
    }),
  );

  test(
    'renewing keeps present leases; one that is over, or somebody else has, is lost',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('renew', { size: 2 }), at(10));
      const leases = leasesOf(await claim(store, 'one', 2, 0));
      const early = await store.leases.renew(
        identity('one'),
        leases.slice(0, 1),
        LEASE_SECONDS,
        at(LEASE - 1),
      );
      assert.deepEqual(early, { kept: leases.slice(0, 1), lost: [], cancelAsked: [] });
      assert.deepEqual(
        (await store.leases.renew(identity('two'), leases, LEASE_SECONDS, at(LEASE - 1))).lost,
        leases,
      );
      const late = await store.leases.renew(identity('one'), leases, LEASE_SECONDS, at(LEASE));
      assert.deepEqual(late, { kept: leases.slice(0, 1), lost: leases.slice(1), cancelAsked: [] });
      assert.equal(await store.leases.nextLapse(), LEASE);
      const lapsed = await store.leases.lapse(at(LEASE));
      assert.deepEqual(
        lapsed.tasks.map((task) => task.index),
        [1],
      );
    }),
  );

  test(
    'a cancelled job is not started later: waiting tasks end, held ones are stopped and never leased again (I6)',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('stop', { size: 10_000 }), at(10));
      const leases = leasesOf(await claim(store, 'one', 4, 11));
      await store.leases.markStarted(identity('one'), leases.slice(0, 1), at(12));
      const done = await store.leases.cancel({
        job: id('stop'),
        indexes: null,
        how: 'terminate',
        by: at(13),
      });
      assert.equal(done?.ended, 9996);
      assert.deepEqual(
        done.toStop.map((lease) => [lease.index, lease.state, lease.identity]),
        [
          [0, 'running', identity('one')],
          [1, 'leased', identity('one')],
          [2, 'leased', identity('one')],
          [3, 'leased', identity('one')],
        ],
      );
      assert.deepEqual(await claim(store, 'two', 5, 14), []);
      const renewed = await store.leases.renew(identity('one'), leases.slice(0, 1), LEASE_SECONDS, at(14));
      assert.equal(renewed.cancelAsked[0]?.how, 'terminate');
      await store.leases.handBack(identity('one'), leases.slice(1, 2), at(15));
      await store.leases.accept(
        [receipt('one', leases[2]!, { outcome: 'refused', because: 'machine.label' })],
        at(16),
      );
      await store.leases.accept([receipt('one', leases[0]!, { outcome: 'succeeded' })], at(16));
      await store.leases.lapse(at(11 + LEASE));
      assert.deepEqual(await claim(store, 'two', 5, 12 + LEASE), []);
      assert.deepEqual(await counted(store, id('stop')), { cancelled: 9999, succeeded: 1 });
      assert.equal((await store.jobs.readTask(id('stop'), 9999))?.state, 'cancelled');
      assert.notEqual((await store.jobs.readJob(id('stop')))?.ended, null);
      assert.equal(
        await store.leases.cancel({ job: id('nothing'), indexes: null, how: 'kill', by: at(1) }),
        null,
      );
    }),
  );

  test(
    'single tasks are cancelled before the cursor reaches them, and it passes them by',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('holes', { size: 10, firstIndex: 5 }), at(10));
      await store.leases.cancel({ job: id('holes'), indexes: [5, 7, 14, 99], how: 'terminate', by: at(11) });
      assert.deepEqual(await counted(store, id('holes')), { cancelled: 3, waiting: 7 });
      assert.deepEqual(
        leasesOf(await claim(store, 'one', 2, 12)).map((lease) => lease.index),
        [6, 8],
      );
      assert.deepEqual(
        leasesOf(await claim(store, 'one', 50, 12)).map((lease) => lease.index),
        [9, 10, 11, 12, 13],
      );
      assert.deepEqual(await claim(store, 'one', 50, 12), []);
    }),
  );

  test(
    'an expiry between two receipts of the same job, in one transaction, is whole and counted once',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('between', { size: 5, notAfter: 1000 }), at(1));
      const [back, one, two] = leasesOf(await claim(store, 'one', 3, 10));
      assert.ok(back && one && two);
      await store.leases.handBack(identity('one'), [back], at(20));
      await Promise.all([
        store.leases.accept([receipt('one', one)], at(1001)),
        store.leases.expire(at(1001)),
        store.leases.accept([receipt('one', two)], at(1001)),
      ]);
      while ((await store.leases.expire(at(2000))).isMore);
      assert.deepEqual(await counted(store, id('between')), { expired: 3, succeeded: 2 });
      assert.notEqual((await store.jobs.readJob(id('between')))?.ended, null);
      const { items } = await store.audit.listRecords({ after: null, limit: 50, object: id('between') });
      const expired = items.filter(({ action }) => action === 'task.expired');
      assert.equal(
        expired.reduce((sum, { count }) => sum + count, 0),
        3,
      );
    }),
  );

  test(
    'waiting tasks expire at their not-after, also those that come back later',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('expire', { size: 5, notAfter: 1000 }), at(10));
      const leases = leasesOf(await claim(store, 'one', 2, 11));
      await store.leases.handBack(identity('one'), leases.slice(0, 1), at(12));
      assert.equal(await store.leases.nextExpiry(), 1000);
      assert.deepEqual(await store.leases.expire(at(999)), { jobs: [], isMore: false });
      assert.deepEqual((await store.leases.expire(at(1000))).jobs, [id('expire')]);
      assert.deepEqual(await counted(store, id('expire')), { expired: 4, leased: 1 });
      await store.leases.lapse(at(11 + LEASE));
      await store.leases.expire(at(12 + LEASE));
      assert.deepEqual(await counted(store, id('expire')), { expired: 5 });
      assert.equal((await store.jobs.readTask(id('expire'), 4))?.because, 'order.expired');
      assert.equal(await store.leases.nextExpiry(), null);
    }),
  );

  test(
    'waiting tasks that nobody can start are refused',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('orphan', { size: 3 }), at(10));
      await claim(store, 'one', 1, 11);
      assert.equal(await store.leases.refuse(id('orphan'), 'agent.rejoined', at(12)), 2);
      assert.deepEqual(await counted(store, id('orphan')), { leased: 1, refused: 2 });
    }),
  );

  test(
    'an agent that comes back with less than it had loses the rest, and only that',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('crash', { size: 4 }), at(10));
      const mine = leasesOf(await claim(store, 'one', 3, 11));
      await claim(store, 'two', 1, 11);
      assert.equal((await store.leases.listOpen(identity('one'))).length, 3);
      const lost = await store.leases.loseAgent(identity('one'), mine.slice(0, 1), at(12));
      assert.deepEqual(
        lost.tasks.map((task) => [task.index, task.state]),
        [
          [1, 'waiting'],
          [2, 'waiting'],
        ],
      );
      assert.deepEqual(await counted(store, id('crash')), { leased: 2, waiting: 2 });
    }),
  );

  test('after a restart every open lease has its full length, and work goes on', async () => {
    const database = await make();
    try {
      const before = await openReady(database);
      await before.jobs.submit(newJob('restart', { size: 3 }), at(10));
      const leases = leasesOf(await claim(before, 'one', 2, 0));
      await before.close();
      await assert.rejects(before.jobs.submit(newJob('closed'), at(10)), { code: 'store.closed' });
      const store = await database.open();
      try {
        assert.equal(await store.leases.renewAll(LEASE_SECONDS, at(LEASE + 5)), 2);
        assert.equal((await store.leases.lapse(at(2 * LEASE + 4))).tasks.length, 0);
        assert.equal(
          (await store.leases.accept([receipt('one', leases[0]!)], at(2 * LEASE + 4)))[0]?.is,
          'accepted',
        );
        const [next] = leasesOf(await claim(store, 'one', 1, 2 * LEASE + 4));
        assert.deepEqual([next?.index, next?.token.n], [2, 3]);
        await store.trust.beginEpoch(at(3 * LEASE));
        await store.leases.lapse(at(2 * LEASE + 5));
        assert.deepEqual(leasesOf(await claim(store, 'one', 1, 3 * LEASE))[0]?.token, { epoch: 2, n: 4 });
      } finally {
        await store.close();
      }
    } finally {
      await database.remove();
    }
  });
}
