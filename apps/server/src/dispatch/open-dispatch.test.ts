import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { encodeBase32, type Envelope, type Order } from '@writ/contract';
import { type NewJob, openStore } from '@writ/store';
import { type MachineFacts, signerFromSeed } from '@writ/trust';
import { digestOf } from '@writ/trust/digest';
import type { Seat } from '../dispatch.ts';
import { openDispatch } from './open-dispatch.ts';

const GIB = 2 ** 30;
const BY = { actor: 'tester', source: 'test', now: 1 };
const LARGE = { memoryBytes: 6 * GIB };

test('a job goes to the only agent with room for it, however many faster ones have none', async (t) => {
  const { dispatch, seats, submit, taken, settled } = await open(t, 18);
  const large = await dispatch.classOf(order(LARGE));
  for (const seat of seats.slice(0, 17)) seat.hold(large);
  for (const seat of seats) seat.giveCredits(8);
  await submit(1, { class: large });
  await settled();
  assert.deepEqual([...taken], [[17, 1]]);
});

test('a job goes to the only agent that has not refused it, and each of the others is asked once', async (t) => {
  const { dispatch, seats, submit, taken, settled, claims } = await open(t, 40);
  const usual = await dispatch.classOf(order());
  for (const seat of seats) seat.giveCredits(8);
  for (const seat of seats.slice(0, 39)) seat.exclude(idOf(1));
  await submit(1, { class: usual });
  await settled();
  assert.deepEqual([...taken], [[39, 1]]);
  assert.ok(claims() <= 41, `${claims()} claims`);
});

test('a job that every agent has refused costs each of them one claim, and keeps no other job waiting', async (t) => {
  const { dispatch, seats, submit, taken, settled, claims } = await open(t, 20);
  const usual = await dispatch.classOf(order());
  for (const seat of seats) {
    seat.giveCredits(8);
    seat.exclude(idOf(1));
  }
  await submit(1, { class: usual });
  await settled();
  assert.equal(claims(), 20);
  dispatch.serve();
  await settled();
  assert.equal(claims(), 20);
  await submit(2, { class: usual });
  await settled();
  assert.equal(
    [...taken.values()].reduce((sum, tasks) => sum + tasks, 0),
    1,
  );
});

test('work that nobody told is found although all passed', async (t) => {
  const { store, dispatch, seats, submit, taken, settled } = await open(t, 3);
  const usual = await dispatch.classOf(order());
  for (const seat of seats) {
    seat.giveCredits(8);
    seat.exclude(idOf(1));
  }
  await submit(1, { class: usual });
  await settled();
  await store.jobs.submit(newJob(2, { class: usual }), BY);
  await dispatch.lookAgain();
  await settled();
  assert.equal(taken.size, 1);
});

test('what an agent has no room for does not keep what comes behind from it', async (t) => {
  const { dispatch, seats, submit, taken, settled } = await open(t, 1);
  const large = await dispatch.classOf(order(LARGE));
  const usual = await dispatch.classOf(order());
  await submit(1, { class: large, size: 100, priority: 5 });
  await submit(2, { class: usual });
  seats[0]?.giveCredits(4);
  dispatch.serve();
  await settled();
  assert.deepEqual([...taken], [[0, 2]]);
});

test('of many kinds of work a claim asks for 64 at most, and every kind has its turn', async (t) => {
  const { store, dispatch, seats, settled, asked } = await open(t, 1);
  const kinds = Array.from({ length: 150 }, (_, n) => n + 1);
  const ids = await Promise.all(kinds.map((n) => dispatch.classOf(order({ memoryBytes: n }))));
  await Promise.all(ids.map((id, n) => store.jobs.submit(newJob(n + 1, { class: id, size: 9 }), BY)));
  for (const id of ids) dispatch.addWork(id);
  for (let n = 0; n < 3; n += 1) {
    seats[0]?.giveCredits(1);
    dispatch.serve();
    await settled();
  }
  assert.deepEqual(
    asked.map((classes) => classes.length),
    [64, 64, 64],
  );
  assert.equal(new Set(asked.flat()).size, 150);
});

test('a kind of work that is gone is forgotten, and whoever submits such work meanwhile gets a new one', async (t) => {
  const { store, dispatch, seats, submit, taken, settled, wait } = await open(t, 1);
  const [gone, waiting, young] = [1, 2, 3].map((memoryBytes) => order({ memoryBytes }));
  assert.ok(gone && waiting && young);
  const before = await dispatch.classOf(gone);
  const kept = await dispatch.classOf(waiting);
  await submit(1, { class: kept });
  wait(600_000);
  const used = await dispatch.classOf(young);
  const forgotten = dispatch.forgetClasses();
  assert.equal(dispatch.classOfOrder(gone), undefined);
  const after = await dispatch.classOf(gone);
  await forgotten;
  assert.notEqual(after, before);
  assert.deepEqual(
    (await store.jobs.listClasses()).map(({ id }) => id),
    [kept, used, after],
  );
  await submit(2, { class: after });
  seats[0]?.giveCredits(4);
  dispatch.serve();
  await settled();
  assert.deepEqual([...taken], [[0, 2]]);
});

test('a job waits for the limit of its queue, or because agents are busy, and which is said', async (t) => {
  const { store, dispatch, seats, submit, settled } = await open(t, 1);
  const large = await dispatch.classOf(order(LARGE));
  const narrow = await dispatch.classOf(order({}, 'narrow'));
  const set = { isPaused: false, maxRunning: 1, priority: 0, people: null, keepSeconds: null };
  await store.queues.setQueue({ name: 'narrow', ...set }, BY);
  await dispatch.lookAgain();
  seats[0]?.giveCredits(8);
  await submit(1, { class: large, size: 2 });
  await submit(2, { class: narrow, queue: 'narrow', size: 2 });
  await settled();
  const why = (id: number) => dispatch.whyWaiting({ class: id, notBefore: null, isHeld: false });
  assert.deepEqual([why(large), why(narrow)], ['busy', 'queue_limit']);
});

test('nothing is called back for an agent that could not take it', async (t) => {
  const { dispatch, seats, submit, recalled, settled, pass } = await open(t, 3);
  const large = await dispatch.classOf(order(LARGE));
  const usual = await dispatch.classOf(order());
  const [full, narrow, refusing] = seats;
  // The first holds more than it has slots for; the second has no room for it, the third will not have all of it.
  for (let n = 0; n < 6; n += 1) full?.hold(n < 3 ? large : usual);
  narrow?.hold(large);
  refusing?.exclude(idOf(7));
  for (const seat of seats) seat.giveCredits(8);
  await submit(1, { class: usual });
  await settled();
  narrow?.letGo([]);
  pass();
  assert.deepEqual(recalled, [
    { classes: [usual], except: [] },
    { classes: [large, usual], except: [idOf(7)] },
  ]);
});

async function open(t: TestContext, agents: number) {
  const folder = await mkdtemp(join(tmpdir(), 'writ-dispatch-'));
  const store = await openStore({ file: join(folder, 'writ.db') });
  await store.trust.claimCluster({
    cluster: 'cluster',
    serverName: 'server',
    setDigest: digestOf('set'),
    set: ENVELOPE,
    by: BY,
  });
  // What is due after a time comes when the test says so.
  let monotonic = 1;
  let due: { milliseconds: number; act: () => void }[] = [];
  const clock = {
    now: () => 1,
    monotonic: () => monotonic,
    after: (milliseconds: number, act: () => void) => {
      due.push({ milliseconds, act });
      return () => undefined;
    },
  };
  let underWay = 0;
  const asked: (readonly number[])[] = [];
  const { claim } = store.leases;
  const leases = {
    ...store.leases,
    claim: async (claiming: Parameters<typeof claim>[0]) => {
      underWay += 1;
      asked.push(claiming.classes);
      return await claim(claiming).finally(() => (underWay -= 1));
    },
  };
  const errors: unknown[] = [];
  const dispatch = await openDispatch({
    store: { ...store, leases },
    clock,
    log: (level, event, fields) => void (level === 'error' && errors.push([event, fields])),
    leaseSeconds: 30,
  });
  t.after(async () => {
    dispatch.close();
    await store.close();
    await rm(folder, { recursive: true });
    assert.deepEqual(errors, []);
  });
  const taken = new Map<number, number>();
  const recalled: { classes: number[]; except: string[] }[] = [];
  const seats: Seat[] = [];
  for (let n = 0; n < agents; n += 1) {
    const { key: identity } = signerFromSeed(new Uint8Array(32).fill(n + 1));
    const seat = dispatch.sit({
      identity,
      take: (jobs) =>
        void taken.set(
          n,
          jobs.reduce((sum, job) => sum + job.tasks.length, taken.get(n) ?? 0),
        ),
      recall: (classes, _most, { except = new Set<string>() } = {}) => {
        recalled.push({ classes: [...classes], except: [...except] });
        return 0;
      },
      isFull: () => false,
    });
    seat.describe(machine(identity), 4, 1000 - n);
    seats.push(seat);
  }
  return {
    store,
    dispatch,
    seats,
    taken,
    recalled,
    asked,
    claims: () => asked.length,
    submit: async (n: number, other: Partial<NewJob>) => {
      await store.jobs.submit(newJob(n, other), BY);
      dispatch.addWork(other.class ?? 0);
      dispatch.serve();
    },
    settled: async () => {
      do await nextTurn();
      while (underWay > 0);
    },
    wait: (milliseconds: number) => {
      monotonic += milliseconds;
    },
    /** A moment, and not yet a look. */
    pass: () => {
      const now = due.filter(({ milliseconds }) => milliseconds < 1000);
      due = due.filter(({ milliseconds }) => milliseconds >= 1000);
      for (const { act } of now) act();
    },
  };
}

const ENVELOPE: Envelope = { payloadType: 'text/plain', payload: 'e30=', signatures: [{ sig: 'AAAA' }] };
const idOf = (n: number): string => encodeBase32(new Uint8Array(16).fill(n));

const newJob = (n: number, other: Partial<NewJob>): NewJob => ({
  id: idOf(n),
  digest: digestOf(idOf(n)),
  envelope: ENVELOPE,
  person: idOf(0),
  project: 'default',
  queue: 'default',
  class: 1,
  priority: 0,
  firstIndex: 0,
  size: 1,
  maxAttempts: 1,
  retryOnFailure: false,
  isOnce: false,
  notBefore: null,
  notAfter: 1e12,
  isHeld: false,
  command: ['true'],
  submittedBy: 'ana',
  ...other,
});

/** As much of an order as its class is made of. */
const order = (limits: Partial<Order['limits']> = {}, queue = 'default'): Order =>
  ({
    queue,
    profile: 'user',
    network: false,
    machine: { facts: [], labels: [], agents: [], excluded: [], notAdmitted: [] },
    limits: { cpus: null, memoryBytes: GIB, counters: [], ...limits },
    runs: { is: 'command', variants: [{ platform: { os: null, arch: null } }] },
  }) as unknown as Order;

const machine = (identity: string): MachineFacts =>
  ({
    os: 'linux',
    arch: 'x64',
    cores: 8,
    memoryBytes: 8 * GIB,
    counters: [],
    admitted: { queues: ['*'], labels: [], how: 'hand', identity },
    profiles: [{ profile: 'user', network: true, memory: true }],
  }) as unknown as MachineFacts;
