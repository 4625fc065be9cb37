import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JobRecord } from '../jobs/jobs.ts';
import type { LeaseRef } from '../leases/leases.ts';
import type { Store } from '../store.ts';
import type { MakeDatabase } from './database-under-test.ts';
import { Model, type ModelLease } from './model.ts';
import { at, digest, identity, LEASE_SECONDS, newJob, receipt, withStore } from './samples.ts';

const RUNS = 60;
const LEASE = LEASE_SECONDS * 1000;
const OUTCOMES = {
  succeeded: 'exit',
  failed: 'exit',
  cancelled: 'cancelled',
  not_here: 'machine.label',
  never: 'grant.order',
} as const;

const agent = fc.constantFrom('one', 'two');
const pick = fc.nat(50);
const step = fc.oneof(
  fc.record({
    do: fc.constant('submit' as const),
    size: fc.integer({ min: 0, max: 6 }),
    firstIndex: fc.nat(2),
    maxAttempts: fc.integer({ min: 1, max: 3 }),
    retryOnFailure: fc.boolean(),
    isOnce: fc.boolean(),
    priority: fc.nat(1),
    waitMs: fc.option(fc.integer({ min: 1, max: LEASE }), { nil: null }),
    liveMs: fc.integer({ min: LEASE, max: 4 * LEASE }),
  }),
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('claim' as const), agent, max: fc.integer({ min: 1, max: 5 }) }),
  },
  fc.record({ do: fc.constant('start' as const), agent, pick }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('accept' as const),
      agent,
      pick,
      outcome: fc.constantFrom(...(Object.keys(OUTCOMES) as (keyof typeof OUTCOMES)[])),
    }),
  },
  fc.record({ do: fc.constant('renew' as const), agent, pick }),
  fc.record({ do: fc.constant('handBack' as const), agent, pick }),
  fc.record({ do: fc.constant('lapse' as const), ms: fc.integer({ min: 0, max: LEASE }) }),
  fc.record({ do: fc.constant('loseAgent' as const), agent, pick }),
  fc.record({
    do: fc.constant('cancel' as const),
    pick,
    indexes: fc.option(fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 3 }), { nil: null }),
  }),
  fc.constant({ do: 'expire' as const }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Random histories. After each step every counter equals the tasks, and both equal the model (I1–I6). */
export function testAgainstModel(make: MakeDatabase): void {
  test(
    `the store does what the model does over ${RUNS} random histories, and counts every state change`,
    withStore(make, async (store) => {
      let run = 0;
      let now = 1000;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
          run += 1;
          const history = await History.begin(store, run, now);
          for (const one of steps) await history.take(one);
          await history.drain();
          now = history.now + 10 * LEASE;
        }),
        { numRuns: RUNS, endOnFailure: true },
      );
      assert.deepEqual((await store.audit.verifyAudit()).isWhole, true);
    }),
  );
}

class History {
  readonly #store: Store;
  readonly #run: number;
  readonly #class: number;
  readonly #model = new Model();
  readonly #leases: ModelLease[] = [];
  readonly #auditFrom: number;
  now: number;

  private constructor(store: Store, run: number, kind: number, now: number, auditFrom: number) {
    this.#store = store;
    this.#run = run;
    this.#class = kind;
    this.now = now;
    this.#auditFrom = auditFrom;
  }

  /** Each run has a class of its own: work of the runs before it stays out of sight. */
  static async begin(store: Store, run: number, now: number): Promise<History> {
    const kind = await store.jobs.classId(`{"run":${run}}`);
    return new History(store, run, kind, now, (await store.audit.head()).seq);
  }

  async take(one: Step): Promise<void> {
    this.now += 1;
    await this.#do(one);
    await this.#compare();
  }

  /** When nothing fails any more, every task ends (I1, I10). */
  async drain(): Promise<void> {
    this.now += 5 * LEASE;
    const by = at(this.now);
    while ((await this.#store.leases.lapse(by)).isMore);
    this.#model.lapse(this.now);
    while ((await this.#store.leases.expire(by)).isMore);
    this.#model.expire(this.now);
    await this.#compare();
    for (const job of this.#model.jobs) {
      const held = await this.#store.jobs.readJob(job.id);
      assert.equal(held?.counts.waiting ?? 0, 0);
      assert.notEqual(held?.ended, null);
      for (const task of job.tasks) {
        assert.ok(task.starts <= job.maxAttempts, 'attempts never exceed the maximum');
        assert.ok(task.accepted <= 1, 'one accepted success at most');
      }
    }
    await this.#compareAudit();
  }

  async #do(one: Step): Promise<void> {
    const { leases, jobs } = this.#store;
    const by = at(this.now);
    const model = this.#model;
    switch (one.do) {
      case 'submit': {
        const { size, firstIndex, maxAttempts, retryOnFailure, isOnce, priority } = one;
        const notBefore = one.waitMs === null ? null : this.now + one.waitMs;
        const job = newJob('', {
          id: `${this.#letters(this.#run)}b${this.#letters(model.jobs.length)}`.padEnd(26, 'a'),
          digest: digest(`${this.#run}.${model.jobs.length}`),
          class: this.#class,
          size,
          firstIndex,
          maxAttempts,
          retryOnFailure,
          isOnce,
          priority,
          notBefore,
          notAfter: this.now + one.liveMs,
        });
        assert.equal((await jobs.submit(job, by)).is, 'added');
        const tasks = Array.from({ length: size }, (_, n) => ({
          index: firstIndex + n,
          state: 'waiting' as const,
          starts: 0,
          tokens: [],
          holder: null,
          until: 0,
          isStopAsked: false,
          accepted: 0,
        }));
        model.jobs.push({ ...job, tasks, nextToken: 1 });
        return;
      }
      case 'claim': {
        const { jobs: claimed } = await leases.claim({
          identity: identity(one.agent),
          classes: [this.#class],
          max: one.max,
          leaseSeconds: LEASE_SECONDS,
          by,
        });
        const expected = model.claim(one.agent, one.max, this.now, this.now + LEASE);
        const got = claimed.flatMap((job) =>
          job.tasks.map((task) => ({
            job: job.job,
            index: task.index,
            attempt: task.attempt,
            token: task.token.n,
            holder: one.agent,
          })),
        );
        assert.deepEqual(got, expected);
        this.#leases.push(...got);
        return;
      }
      case 'start': {
        const lease = this.#pick(one.pick);
        if (!lease) return;
        const { lost } = await leases.markStarted(identity(one.agent), [asRef(lease)], by);
        assert.equal(lost.length === 0, model.start({ ...lease, holder: one.agent }));
        return;
      }
      case 'accept': {
        const lease = this.#pick(one.pick);
        if (!lease) return;
        const outcome = one.outcome === 'not_here' || one.outcome === 'never' ? 'refused' : one.outcome;
        const [answer] = await leases.accept(
          [receipt(one.agent, asRef(lease), { outcome, because: OUTCOMES[one.outcome] })],
          by,
        );
        assert.equal(answer?.is === 'accepted', model.accept({ ...lease, holder: one.agent }, one.outcome));
        return;
      }
      case 'renew': {
        const lease = this.#pick(one.pick);
        if (!lease) return;
        const { kept } = await leases.renew(identity(one.agent), [asRef(lease)], LEASE_SECONDS, by);
        assert.equal(
          kept.length === 1,
          model.renew({ ...lease, holder: one.agent }, this.now, this.now + LEASE),
        );
        return;
      }
      case 'handBack': {
        const lease = this.#pick(one.pick);
        if (!lease) return;
        const { tasks } = await leases.handBack(identity(one.agent), [asRef(lease)], by);
        assert.equal(tasks.length === 1, model.handBack({ ...lease, holder: one.agent }));
        return;
      }
      case 'lapse':
        this.now += one.ms;
        await leases.lapse(at(this.now));
        model.lapse(this.now);
        return;
      case 'loseAgent': {
        const lease = this.#pick(one.pick);
        const kept = lease?.holder === one.agent ? [lease] : [];
        await leases.loseAgent(identity(one.agent), kept.map(asRef), by);
        model.loseAgent(one.agent, kept);
        return;
      }
      case 'cancel': {
        const job = model.jobs[one.pick % Math.max(1, model.jobs.length)];
        if (!job) return;
        await leases.cancel({ job: job.id, indexes: one.indexes, how: 'terminate', by });
        model.cancel(job.id, one.indexes);
        return;
      }
      case 'expire':
        await leases.expire(by);
        model.expire(this.now);
    }
  }

  async #compare(): Promise<void> {
    for (const job of this.#model.jobs) {
      const held = await this.#store.jobs.readJob(job.id);
      const tasks = await this.#store.jobs.listTasks(job.id, { after: null, limit: 100 });
      assert.deepEqual(
        tasks.items.map((task) => [task.index, task.state, task.token?.n ?? null]),
        job.tasks.map((task) => [task.index, task.state, task.tokens.at(-1) ?? null]),
      );
      assert.deepEqual(tallied(held), tally(job.tasks.map((task) => task.state)));
    }
  }

  async #compareAudit(): Promise<void> {
    let moves = 0;
    let after: string | null = null;
    do {
      const page = await this.#store.audit.listRecords({ after, limit: 1000 });
      const mine = page.items.filter((record) => record.seq > this.#auditFrom);
      const isMove = (action: string) => action.startsWith('task.') && action !== 'task.cancel_asked';
      moves += mine.filter((record) => isMove(record.action)).reduce((sum, record) => sum + record.count, 0);
      after = mine.length === page.items.length ? page.next : null;
    } while (after !== null);
    assert.equal(moves, this.#model.moves, 'the trail counts every state change (I7)');
  }

  #pick(at: number): ModelLease | undefined {
    return this.#leases.length === 0 ? undefined : this.#leases[at % this.#leases.length];
  }

  #letters(n: number): string {
    return [...String(n)].map((figure) => 'cdefghijkl'[Number(figure)]).join('');
  }
}

const asRef = ({ job, index, attempt, token }: ModelLease): LeaseRef => ({
  job,
  index,
  attempt,
  token: { epoch: 1, n: token },
});
const tally = (states: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const state of states) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
};
const tallied = (job: JobRecord | null) =>
  Object.fromEntries(Object.entries<number>(job?.counts ?? {}).filter(([, count]) => count > 0));
