import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DueAsked } from '../retention/retention.ts';
import type { Store } from '../store.ts';
import type { MakeDatabase } from './database-under-test.ts';
import { at, claim, digest, id, leasesOf, newJob, receipt, withStore } from './samples.ts';

const DAY = 86_400_000;
const KEPT = 30 * DAY;
const due = (now: number, olderThanSeconds: number | null = null): DueAsked => ({
  now,
  keepSeconds: KEPT / 1000,
  olderThanSeconds,
});

export function testRetention(make: MakeDatabase): void {
  test(
    'a job is removed when it ended as long ago as its queue keeps jobs, and not before',
    withStore(make, async (store) => {
      await store.queues.setQueue(queue('short', 60), at(1));
      await end(store, 'usual', 1000);
      await end(store, 'brief', 1000, { queue: 'short' });
      await store.jobs.submit(newJob('waits'), at(1000));
      const [lease] = leasesOf(await claim(store, 'one', 1, 1000));
      assert.ok(lease);
      assert.deepEqual(await remove(store, 1000 + 59_999), []);
      assert.deepEqual(await remove(store, 1000 + 60_000), [id('brief')]);
      assert.deepEqual(await remove(store, 1000 + KEPT - 1), []);
      assert.deepEqual(await remove(store, 1000 + KEPT), [id('usual')]);
      // What has not ended is never due, however long ago it came.
      assert.deepEqual(await remove(store, 99 * KEPT, 1), []);
      assert.equal((await store.jobs.readJob(id('waits')))?.state, 'leased');
    }),
  );

  test(
    'a requirement class is forgotten when nothing of it can be leased any more, and its number is not given again',
    withStore(make, async (store) => {
      const kinds = ['unused', 'ended', 'waits', 'held', 'later', 'leased'];
      const ids = new Map<string, number>();
      for (const kind of kinds) ids.set(kind, await store.jobs.classId(`{"kind":"${kind}"}`));
      const of = (kind: string) => ids.get(kind) ?? 0;
      await store.jobs.submit(newJob('ended', { class: of('ended') }), at(1000));
      await store.leases.cancel({ job: id('ended'), indexes: null, how: 'kill', by: at(1000) });
      await store.jobs.submit(newJob('waits', { class: of('waits') }), at(1000));
      await store.jobs.submit(newJob('held', { class: of('held'), isHeld: true }), at(1000));
      await store.jobs.submit(newJob('later', { class: of('later'), notBefore: 9000 }), at(1000));
      await store.jobs.submit(newJob('leased', { class: of('leased') }), at(1000));
      assert.equal((await claim(store, 'one', 1, 1000, [of('leased')])).length, 1);
      const gone = await store.retention.forgetClasses([...ids.values()]);
      assert.deepEqual(new Set(gone), new Set([of('unused'), of('ended')]));
      assert.deepEqual(await store.retention.forgetClasses([of('unused')]), []);
      const again = await store.jobs.classId('{"kind":"unused"}');
      assert.ok(again > Math.max(...ids.values()));
    }),
  );

  test(
    'an age that somebody names counts for every queue',
    withStore(make, async (store) => {
      await store.queues.setQueue(queue('long', 1_000_000), at(1));
      await end(store, 'usual', 1000);
      await end(store, 'long', 1000, { queue: 'long' });
      assert.deepEqual(await remove(store, 11_000, 10), [id('usual'), id('long')]);
    }),
  );

  test(
    'nothing of a removed job is left, in steps as small as wanted, and the audit trail says that it went',
    withStore(make, async (store) => {
      await store.files.addFile({ digest: digest('input'), size: 3 }, 'default', at(1));
      await end(store, 'gone', 1000, { size: 5 }, [digest('input')]);
      await end(store, 'stays', 2000, {}, [digest('input')]);
      const asked = { ...due(1000 + KEPT), limit: 10 };
      const counted = await store.retention.countDue({ ...asked, after: null });
      assert.deepEqual(counted, { jobs: [id('gone')], tasks: 5, receipts: 5, next: null });
      assert.deepEqual(await store.retention.removeJobs(asked, at(1000 + KEPT)), {
        jobs: [{ id: id('gone'), tasks: 5 }],
        isMore: false,
      });
      assert.equal(await store.jobs.readJob(id('gone')), null);
      assert.equal(await store.jobs.readOrder(id('gone')), null);
      assert.equal(await store.retention.wasRemoved(id('gone')), true);
      assert.equal(await store.retention.wasRemoved(id('stays')), false);
      assert.deepEqual(
        (await store.jobs.listJobs({ after: null, limit: 9 })).items.map((job) => job.id),
        [id('stays')],
      );
      const steps = [];
      for (;;) {
        const step = await store.retention.sweepRemoved(2);
        steps.push(step.receipts);
        if (step.isDone) break;
      }
      assert.deepEqual(steps, [2, 2, 1]);
      assert.equal(await store.files.isUsedBy(id('gone'), digest('input')), false);
      assert.equal(await store.files.isUsedBy(id('stays'), digest('input')), true);
      // What lies outside the database may still be there: until it is finished, it is named again.
      assert.deepEqual((await store.retention.sweepRemoved(9)).jobs, [id('gone')]);
      await store.retention.finishRemoved([id('gone')]);
      assert.deepEqual(await store.retention.sweepRemoved(9), { jobs: [], receipts: 0, isDone: true });
      const { items } = await store.audit.listRecords({ after: null, limit: 9, object: id('gone') });
      assert.match(items[0]?.detail ?? '', /^5 tasks, order sha256:/);
      assert.equal(items[0]?.action, 'job.removed');
      assert.ok(items.some(({ action }) => action === 'job.submitted'));
      assert.equal((await store.audit.verifyAudit()).isWhole, true);
    }),
  );

  test(
    'the id of a removed job is taken as long as its order could be started somewhere, and the same order is not run again (I11)',
    withStore(make, async (store) => {
      const notAfter = 5 * DAY;
      await end(store, 'gone', 1000, { notAfter });
      await remove(store, 2000, 1);
      const again = (now: number, other = {}) =>
        store.jobs.submit(newJob('gone', { notAfter, ...other }), at(now));
      assert.deepEqual(await again(2001), { is: 'removed' });
      assert.deepEqual(await again(2001, { digest: digest('another order') }), { is: 'conflict' });
      assert.deepEqual(await claim(store, 'one', 9, 2002), []);
      const free = notAfter + 31 * DAY;
      await forget(store, free);
      assert.deepEqual(await again(free), { is: 'removed' });
      await forget(store, free + 1);
      assert.equal((await again(free + 1, { notAfter: free * 2 })).is, 'added');
    }),
  );

  test(
    'a file that nobody used for a day is removed when no job names it, and never while one does',
    withStore(make, async (store) => {
      for (const [name, used] of [
        ['lone', 10],
        ['named', 10],
        ['young', 500],
      ] as const)
        await store.files.addFile({ digest: digest(name), size: 7 }, 'default', at(used));
      await end(store, 'user', 20, {}, [digest('named')]);
      const asked = { unusedSince: 100, after: null, limit: 1 };
      const wouldGo = await unused(store, { ...asked, ...due(21 + KEPT) });
      assert.deepEqual(new Set(wouldGo), new Set([digest('lone'), digest('named')]));
      assert.deepEqual(await unused(store, { ...asked, ...due(20) }), [digest('lone')]);
      assert.deepEqual(await removeFiles(store, 100), [digest('lone')]);
      assert.equal(await store.files.readFile(digest('lone')), null);
      assert.deepEqual(await store.files.listKnown([digest('lone')], 'default'), []);
      assert.deepEqual(await remove(store, 21 + KEPT), [id('user')]);
      assert.deepEqual(await removeFiles(store, 100), [digest('named')]);
      assert.deepEqual((await store.files.readFile(digest('young')))?.size, 7);
    }),
  );

  test(
    'a job whose file was removed since it was looked for is not taken, and one that is taken keeps its files',
    withStore(make, async (store) => {
      await store.files.addFile({ digest: digest('input'), size: 7 }, 'default', at(10));
      const [removed, submitted] = await Promise.all([
        store.retention.removeFiles({ unusedSince: 100, after: null, limit: 9 }, at(200)),
        store.jobs.submit(newJob('late'), at(200), [digest('input')]),
      ]);
      assert.equal(removed.files.length, 1);
      assert.deepEqual(submitted, { is: 'files_missing' });
      assert.equal(await store.jobs.readJob(id('late')), null);
      await store.files.addFile({ digest: digest('input'), size: 7 }, 'default', at(10));
      const [taken, kept] = await Promise.all([
        store.jobs.submit(newJob('late'), at(200), [digest('input'), digest('input')]),
        store.retention.removeFiles({ unusedSince: 100, after: null, limit: 9 }, at(200)),
      ]);
      assert.equal(taken.is, 'added');
      assert.deepEqual(kept.files, []);
      assert.equal(await store.files.isInputOf(id('late'), digest('input')), true);
    }),
  );

  test(
    'withdrawals are kept to the end of their order, and until then told to agents',
    withStore(make, async (store) => {
      const withdrawal = {
        digest: digest('w'),
        order: digest('o'),
        until: 1000,
        envelope: newJob('w').envelope,
      };
      await store.jobs.addWithdrawal(withdrawal, at(10));
      await forget(store, 1000, 1000);
      assert.equal(
        (await store.jobs.listWithdrawals({ now: 1000, since: 0, after: null, limit: 9 })).items.length,
        1,
      );
      await forget(store, 1001, 1001);
      assert.equal(
        (await store.jobs.listWithdrawals({ now: 0, since: 0, after: null, limit: 9 })).items.length,
        0,
      );
    }),
  );

  test(
    'what is counted in pages is what is counted at once',
    withStore(make, async (store) => {
      for (let n = 0; n < 7; n += 1)
        await end(store, `job-${'abcdefg'[n]}`, 1000 + (n % 3), { queue: n < 4 ? 'one' : 'two' });
      const seen: string[] = [];
      let after: string | null = null;
      do {
        const page = await store.retention.countDue({ ...due(9 * KEPT), after, limit: 2 });
        assert.equal(page.receipts, page.jobs.length);
        seen.push(...page.jobs);
        after = page.next;
      } while (after !== null);
      assert.equal(seen.length, 7);
      assert.equal(new Set(seen).size, 7);
    }),
  );
}

const queue = (name: string, keepSeconds: number) => ({
  name,
  isPaused: false,
  maxRunning: null,
  priority: 0,
  people: null,
  keepSeconds,
});

async function end(
  store: Store,
  name: string,
  now: number,
  other: Parameters<typeof newJob>[1] = {},
  inputs: readonly string[] = [],
): Promise<void> {
  await store.jobs.submit(newJob(name, other), at(now), inputs);
  const leases = leasesOf(await claim(store, 'one', 1000, now));
  await store.leases.accept(
    leases.map((lease) => receipt('one', lease)),
    at(now),
  );
}

async function remove(store: Store, now: number, olderThanSeconds: number | null = null): Promise<string[]> {
  const { jobs } = await store.retention.removeJobs({ ...due(now, olderThanSeconds), limit: 100 }, at(now));
  for (;;) {
    const step = await store.retention.sweepRemoved(100);
    if (step.isDone) await store.retention.finishRemoved(step.jobs);
    if (step.isDone) break;
  }
  return jobs.map((job) => job.id);
}

async function removeFiles(store: Store, unusedSince: number): Promise<string[]> {
  const removed: string[] = [];
  let after: string | null = null;
  do {
    const page = await store.retention.removeFiles({ unusedSince, after, limit: 1 }, at(unusedSince));
    removed.push(...page.files.map((file) => file.digest));
    after = page.next;
  } while (after !== null);
  return removed;
}

async function unused(
  store: Store,
  asked: Parameters<Store['retention']['listUnused']>[0],
): Promise<string[]> {
  const found: string[] = [];
  let { after } = asked;
  do {
    const page = await store.retention.listUnused({ ...asked, after });
    found.push(...page.files.map((file) => file.digest));
    after = page.next;
  } while (after !== null);
  return found;
}

const forget = (store: Store, now: number, withdrawnBefore = 0) =>
  store.retention.forgetOrders({ withdrawnBefore, receivedBefore: 0, limit: 10 }, at(now));
