import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MakeDatabase } from './database-under-test.ts';
import {
  at,
  claim,
  claimLimited,
  CLASS,
  id,
  identity,
  newAdmission,
  newJob,
  receipt,
  withStore,
} from './samples.ts';

const taken = (jobs: readonly { readonly job: string; readonly tasks: readonly unknown[] }[]) =>
  jobs.map(({ job, tasks }) => [job, tasks.length]);

export function testQueues(make: MakeDatabase): void {
  test(
    'nothing of a held job is leased, also when its time comes, until it is released',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('held', { isHeld: true }), at(10));
      await store.jobs.submit(newJob('later', { isHeld: true, notBefore: 20 }), at(10));
      await store.jobs.submit(newJob('free', { size: 2 }), at(10));
      assert.deepEqual(taken(await claim(store, 'one', 1, 30)), [[id('free'), 1]]);
      assert.equal(await store.jobs.hold(id('free'), true, at(31)), 'done');
      assert.equal(await store.jobs.hold(id('free'), true, at(31)), 'same');
      assert.deepEqual(await claim(store, 'one', 9, 32), []);
      assert.deepEqual(await store.jobs.classesWithWork(32), []);
      for (const name of ['free', 'held', 'later'])
        assert.equal(await store.jobs.hold(id(name), false, at(33)), 'done');
      assert.deepEqual(await store.jobs.classesWithWork(34), [CLASS]);
      assert.equal((await claim(store, 'one', 9, 34)).length, 3);
      assert.equal(await store.jobs.hold(id('nobody'), true, at(35)), 'unknown');
      assert.equal((await store.audit.verifyAudit()).isWhole, true);
    }),
  );

  test(
    'a job that was released before its time still waits for it',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('later', { isHeld: true, notBefore: 100 }), at(10));
      await store.jobs.hold(id('later'), false, at(20));
      assert.deepEqual(await claim(store, 'one', 1, 30), []);
      assert.equal((await claim(store, 'one', 1, 100)).length, 1);
    }),
  );

  test(
    'the priority set last decides whose turn it is',
    withStore(make, async (store) => {
      await store.jobs.submit(newJob('first'), at(10));
      await store.jobs.submit(newJob('second', { priority: 5 }), at(11));
      await store.jobs.submit(newJob('third'), at(12));
      assert.equal(await store.jobs.setPriority(id('third'), 9, at(13)), 'done');
      const order = [];
      for (let n = 0; n < 3; n += 1) order.push((await claim(store, 'one', 1, 20))[0]?.job);
      assert.deepEqual(order, [id('third'), id('second'), id('first')]);
    }),
  );

  test(
    'of a queue with a limit no more is leased at a time, and others are not kept back by it',
    withStore(make, async (store) => {
      const other = await store.jobs.classId('{"another":"class"}');
      await store.jobs.submit(newJob('narrow', { queue: 'narrow', size: 10 }), at(10));
      await store.jobs.submit(newJob('wide', { class: other, size: 3 }), at(11));
      const limits = [{ queue: 'narrow', classes: [CLASS], most: 2 }];
      const both = [CLASS, other];
      const first = await claimLimited(store, 'one', 4, 20, limits, both);
      assert.deepEqual(taken(first.jobs), [[id('narrow'), 2]]);
      assert.deepEqual([first.limited, first.more], [[CLASS], [other]]);
      const second = await claimLimited(store, 'two', 9, 21, limits, both);
      assert.deepEqual(taken(second.jobs), [[id('wide'), 3]]);
      assert.deepEqual([second.limited, second.more], [[CLASS], []]);
      const [task] = first.jobs[0]?.tasks ?? [];
      assert.ok(task);
      await store.leases.accept([receipt('one', { job: id('narrow'), ...task })], at(22));
      const third = await claimLimited(store, 'two', 9, 23, limits, both);
      assert.deepEqual(taken(third.jobs), [[id('narrow'), 1]]);
      assert.deepEqual(await store.queues.countTasks('narrow', [CLASS]), { waiting: 1, running: 2 });
    }),
  );

  test(
    'an agent gets no more of each class than it has room for',
    withStore(make, async (store) => {
      const small = await store.jobs.classId('{"small":"class"}');
      await store.jobs.submit(newJob('large', { size: 3 }), at(10));
      await store.jobs.submit(newJob('small', { class: small, size: 10 }), at(11));
      const capacity = {
        free: [5, 3],
        needs: new Map([
          [CLASS, [2, 0]],
          [small, [1, 1]],
        ]),
      };
      const asked = {
        identity: identity('one'),
        classes: [CLASS, small],
        max: 9,
        leaseSeconds: 30,
        by: at(20),
      };
      const got = await store.leases.claim({ ...asked, capacity });
      assert.deepEqual(taken(got.jobs), [
        [id('large'), 2],
        [id('small'), 1],
      ]);
      assert.deepEqual([got.limited, new Set(got.more)], [[], new Set([CLASS, small])]);
      const none = await store.leases.claim({ ...asked, capacity: { ...capacity, free: [0, 9] } });
      assert.deepEqual([none.jobs, none.limited], [[], []]);
      assert.deepEqual(new Set(none.more), new Set([CLASS, small]));
    }),
  );

  test(
    'a queue is kept as it was set last, and removed once',
    withStore(make, async (store) => {
      const queue = {
        name: 'night',
        isPaused: false,
        maxRunning: 4,
        priority: -10,
        people: ['ana'],
        keepSeconds: 90,
      };
      await store.queues.setQueue(queue, at(10));
      assert.deepEqual(await store.queues.listQueues(), [queue]);
      await store.queues.setQueue({ ...queue, isPaused: true, people: null, keepSeconds: null }, at(11));
      assert.deepEqual(await store.queues.listQueues(), [
        { ...queue, isPaused: true, people: null, keepSeconds: null },
      ]);
      assert.equal(await store.queues.removeQueue('night', at(12)), true);
      assert.equal(await store.queues.removeQueue('night', at(12)), false);
      assert.deepEqual(await store.queues.listQueues(), []);
    }),
  );

  test(
    'who is drained is remembered until he is not',
    withStore(make, async (store) => {
      await store.trust.admit(newAdmission('one'), at(10));
      await store.trust.drainAgent(identity('one'), true, at(11));
      assert.deepEqual(await store.trust.listDrained(), [identity('one')]);
      assert.equal((await store.trust.readAgent(identity('one')))?.isDrained, true);
      await store.trust.drainAgent(identity('one'), false, at(12));
      assert.deepEqual(await store.trust.listDrained(), []);
    }),
  );
}
