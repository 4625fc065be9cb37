import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TaskState } from '@writ/contract';
import type { TaskRecord } from '../jobs/jobs.ts';
import type { Page } from '../page.ts';
import type { MakeDatabase } from './database-under-test.ts';
import { at, claim, counted, digest, id, leasesOf, newJob, receipt, withStore } from './samples.ts';

export function testJobs(make: MakeDatabase): void {
  test(
    '50 submissions of one id at once make one job and 50 equal answers, and another order under that id conflicts 49 times (I11)',
    withStore(make, async (store) => {
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => store.jobs.submit(newJob('same'), at(10))),
      );
      assert.equal(answers.filter((answer) => answer.is === 'added').length, 1);
      assert.equal(answers.filter((answer) => answer.is === 'same').length, 49);
      assert.equal(
        new Set(answers.map((answer) => JSON.stringify('job' in answer ? answer.job : null))).size,
        1,
      );
      assert.equal((await store.jobs.listJobs({ after: null, limit: 100 })).items.length, 1);
      const others = await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          store.jobs.submit(newJob('other', { digest: digest(`order ${n}`) }), at(11)),
        ),
      );
      assert.equal(others.filter((answer) => answer.is === 'conflict').length, 49);
    }),
  );

  test(
    'one failing write does not fail those of the same turn',
    withStore(make, async (store) => {
      const answers = await Promise.allSettled([
        store.jobs.submit(newJob('good'), at(10)),
        store.jobs.submit(newJob('bad', { queue: null as unknown as string }), at(10)),
        store.jobs.submit(newJob('fine'), at(10)),
      ]);
      assert.deepEqual(
        answers.map((answer) => answer.status),
        ['fulfilled', 'rejected', 'fulfilled'],
      );
      const listed = await store.jobs.listJobs({ after: null, limit: 10 });
      assert.deepEqual(listed.items.map((job) => job.id).sort(), [id('fine'), id('good')]);
      assert.equal((await store.audit.verifyAudit()).isWhole, true);
    }),
  );

  test(
    'a million tasks are submitted as one row, and are all to be seen as waiting',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('million', { size: 1_000_000, firstIndex: 7 }), at(10));
      assert.deepEqual(await counted(store, id('million')), { waiting: 1_000_000 });
      assert.equal((await store.jobs.readTask(id('million'), 1_000_006))?.state, 'waiting');
      assert.equal(await store.jobs.readTask(id('million'), 1_000_007), null);
      assert.equal(await store.jobs.readTask(id('million'), 6), null);
      const page = await store.jobs.listTasks(id('million'), { after: null, limit: 3 });
      assert.deepEqual(
        page.items.map((task) => task.index),
        [7, 8, 9],
      );
      const none = await store.jobs.listTasks(id('million'), { after: null, limit: 3, states: ['failed'] });
      assert.deepEqual(none, { items: [], next: null });
    }),
  );

  test(
    'pages of tasks hold each task once, those with a row and those without',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('pages', { size: 50 }), at(10));
      await claim(store, 'one', 20, 11);
      await store.leases.cancel({ job: id('pages'), indexes: [3, 30, 49], how: 'terminate', by: at(12) });
      const seen: string[] = [];
      let after: string | null = null;
      do {
        const page = await store.jobs.listTasks(id('pages'), { after, limit: 7 });
        seen.push(...page.items.map((task) => `${task.index} ${task.state}`));
        after = page.next;
      } while (after !== null);
      const expected = Array.from(
        { length: 50 },
        (_, n) => `${n} ${n < 20 ? 'leased' : n === 30 || n === 49 ? 'cancelled' : 'waiting'}`,
      );
      assert.deepEqual(seen, expected);
      const cancelled = await store.jobs.listTasks(id('pages'), {
        after: null,
        limit: 7,
        states: ['cancelled'],
      });
      assert.deepEqual(
        cancelled.items.map((task) => task.index),
        [30, 49],
      );
    }),
  );

  test(
    'tasks of some states are listed by pages: with a row, without one, and beside tasks that were cancelled one by one',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('states', { size: 30 }), at(10));
      const leases = leasesOf(await claim(store, 'one', 12, 11));
      const some = leases.filter(({ index }) => index % 3 === 0);
      const failed = { outcome: 'failed' as const, because: 'exit' as const, exit: { code: 1 } };
      await store.leases.accept(
        some.map((lease) => receipt('one', lease, failed)),
        at(12),
      );
      const listed = async (states: readonly TaskState[], limit: number) => {
        const found: number[] = [];
        let after: string | null = null;
        do {
          const page: Page<TaskRecord> = await store.jobs.listTasks(id('states'), { after, limit, states });
          found.push(...page.items.map(({ index }) => index));
          after = page.next;
        } while (after !== null);
        return found;
      };
      const upFrom = (from: number) => Array.from({ length: 30 - from }, (_, n) => from + n);
      for (const limit of [1, 2, 100]) {
        assert.deepEqual(await listed(['failed'], limit), [0, 3, 6, 9]);
        assert.deepEqual(await listed(['failed', 'waiting'], limit), [0, 3, 6, 9, ...upFrom(12)]);
        assert.deepEqual(await listed(['succeeded'], limit), []);
      }
      await store.leases.cancel({ job: id('states'), indexes: [20], how: 'kill', by: at(13) });
      for (const limit of [1, 2, 100]) {
        assert.deepEqual(await listed(['failed', 'cancelled'], limit), [0, 3, 6, 9, 20]);
        assert.deepEqual(
          await listed(['waiting'], limit),
          upFrom(12).filter((index) => index !== 20),
        );
      }
    }),
  );

  test(
    'jobs are listed newest first by pages, and by state, queue, person, project and first letters of the id',
    withStore(make, async (store) => {
      for (let n = 0; n < 25; n += 1) {
        const letter = 'abcdefghijklmnopqrstuvwxy'[n] ?? 'z';
        await store.jobs.submit(
          newJob(`${letter}job`, {
            queue: n % 2 ? 'odd' : 'even',
            project: `p${n % 3}`,
            person: id(`p${n % 5}`),
          }),
          at(10 + n),
        );
      }
      await store.leases.cancel({ job: id('cjob'), indexes: null, how: 'kill', by: at(40) });
      const list = async (asked: object) => {
        const ids: string[] = [];
        let after: string | null = null;
        do {
          const page = await store.jobs.listJobs({ after, limit: 4, ...asked });
          ids.push(...page.items.map((job) => job.id.slice(0, 1)));
          after = page.next;
        } while (after !== null);
        return ids.join('');
      };
      assert.equal(await list({}), 'yxwvutsrqponmlkjihgfedcba');
      assert.equal(await list({ queue: 'odd' }), 'xvtrpnljhfdb');
      assert.equal(await list({ project: 'p0', queue: 'even' }), 'ysmga');
      assert.equal(await list({ states: ['cancelled'] }), 'c');
      assert.equal((await list({ states: ['cancelled', 'waiting'] })).length, 25);
      assert.equal(await list({ idPrefix: 'dj' }), 'd');
      assert.equal(await list({ person: id('pb') }), '');
      await assert.rejects(store.jobs.listJobs({ after: 'nonsense', limit: 4 }), {
        code: 'store.bad_cursor',
      });
    }),
  );

  test(
    'a reader that resumes after a change number sees every later change, and none twice',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('feed', { size: 5 }), at(10));
      const leases = leasesOf(await claim(store, 'one', 5, 11));
      const first = await store.jobs.listChanges(id('feed'), 0, 2);
      assert.equal(first.length, 5, 'one change number is not split');
      const mark = first.at(-1)?.change ?? 0;
      assert.deepEqual(await store.jobs.listChanges(id('feed'), mark, 10), []);
      await store.leases.accept(
        leases.slice(1, 3).map((lease) => receipt('one', lease)),
        at(12),
      );
      const later = await store.jobs.listChanges(id('feed'), mark, 10);
      assert.deepEqual(
        later.map((task) => [task.index, task.state]),
        [
          [1, 'succeeded'],
          [2, 'succeeded'],
        ],
      );
      assert.equal((await store.jobs.readJob(id('feed')))?.change, later[0]?.change);
    }),
  );

  test(
    'listeners hear of a job only when its change can be read',
    withStore(make, async (store) => {
      const heard: Promise<unknown>[] = [];
      const stop = store.onJobsChanged((jobs) => heard.push(...jobs.map((job) => store.jobs.readJob(job))));
      await store.jobs.submit(newJob('heard'), at(10));
      stop();
      await store.jobs.submit(newJob('unheard'), at(10));
      const jobs = await Promise.all(heard);
      assert.equal(jobs.length, 1);
      assert.notEqual(jobs[0], null);
    }),
  );
}
