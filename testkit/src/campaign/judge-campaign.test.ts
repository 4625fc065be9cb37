import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TASK_STATES } from '@writ/contract';
import { digestOf } from '@writ/trust/digest';
import type { Effect } from '../effect-log.ts';
import type { JobHistory, TaskHistory } from '../read-history.ts';
import { judgeCampaign, spread, type Evidence } from './judge-campaign.ts';
import { isEffective, type Kill } from './kill.ts';
import type { Submission } from './submission-history.ts';
import { saidBy } from './task-line.ts';

const JOB = 'a'.repeat(26);
const OTHER = 'b'.repeat(26);
/** An agent was killed here, with the first attempt. */
const KILLED = 1_000;

type Receipt = TaskHistory['receipts'][number];

const digestFrom = (attempt: number): string => digestOf(Buffer.from(saidBy(JOB, 0, attempt)));
const receipt = (attempt: number, isAccepted: boolean): Receipt =>
  ({
    digest: `receipt-${attempt}`,
    job: JOB,
    index: 0,
    attempt,
    identity: `agent-${attempt}`,
    isAccepted,
    code: isAccepted ? null : 'lease.stale',
    received: KILLED + attempt * 1_000,
    predicate: {
      kind: 'ended',
      because: 'exit',
      adopts: null,
      stdout: { digest: digestFrom(attempt), size: 30 },
      outputs: [{ path: 'said.txt', digest: digestFrom(attempt) }],
    },
  }) as unknown as Receipt;
const attempt = (n: number): TaskHistory['attempts'][number] => ({
  index: 0,
  attempt: n,
  token: { epoch: 1, n },
  identity: `agent-${n}`,
  outcome: n === 2 ? 'succeeded' : 'lost',
  because: n === 2 ? 'exit' : 'lost',
  ended: n,
  receipt: n === 2 ? 'receipt-2' : null,
});
const first: Effect = {
  job: JOB,
  index: 0,
  attempt: 1,
  uid: 1,
  isDone: false,
  isAlive: false,
  began: KILLED - 100,
  closed: KILLED + 20,
};
const second: Effect = {
  ...first,
  attempt: 2,
  uid: 2,
  isDone: true,
  began: KILLED + 900,
  closed: KILLED + 1_400,
};
const kill: Kill = {
  role: 'agent',
  victim: 'one',
  identity: 'agent-2',
  at: KILLED,
  running: [first],
  unanswered: 0,
  back: KILLED + 300,
};
const submission: Submission = { job: JOB, digest: 'order', tasks: 1, asked: 1, failed: [], told: 2 };
const task: TaskHistory = {
  task: {
    job: JOB,
    index: 0,
    state: 'succeeded',
    because: 'exit',
    attempt: 2,
    receipt: 'receipt-2',
  } as never,
  attempts: [attempt(1), attempt(2)],
  receipts: [receipt(2, true)],
};
const job: JobHistory = {
  job: {
    id: JOB,
    digest: 'order',
    state: 'succeeded',
    size: 1,
    maxAttempts: 3,
    submitted: 2,
    counts: Object.fromEntries(
      TASK_STATES.map((state) => [state, state === 'succeeded' ? 1 : 0]),
    ) as JobHistory['job']['counts'],
  },
  tasks: [task],
};
const evidence: Evidence = {
  history: {
    jobs: [job],
    audit: { isWhole: true, records: 4, head: '' },
    audited: new Map([
      ['job.submitted', 1],
      ['task.leased', 2],
      ['task.succeeded', 1],
    ]),
  },
  submissions: [submission],
  effects: [first, second],
  kills: [kill],
  orphans: [],
  fetched: { results: 1, wrong: [] },
  endedByThemselves: [],
};
const withTask = (changes: Partial<TaskHistory>): Evidence => ({
  ...evidence,
  history: { ...evidence.history, jobs: [{ ...job, tasks: [{ ...task, ...changes }] }] },
});
const faultsOf = (changed: Evidence): string => judgeCampaign(changed).faults.join('\n');

test('nothing is wrong with a task that was killed with its agent and ran again; its times are told', () => {
  const { faults, counts, roles } = judgeCampaign(evidence);
  assert.deepEqual(faults, []);
  assert.equal(counts.tasks, 1);
  assert.equal(counts.triedAgain, 1);
  const [agent] = roles;
  assert.deepEqual([agent?.kills, agent?.effective, agent?.hurt], [1, 1, 1]);
  assert.equal(agent?.restart?.max, 300);
  assert.equal(agent?.recovery?.max, 2_000);
  assert.equal(agent?.again?.max, 900);
});

test('an acknowledged job that is missing, a lost task and a job that nobody submitted are found', () => {
  const other: Submission = { ...submission, job: OTHER };
  const missing = judgeCampaign({ ...evidence, submissions: [submission, other] });
  assert.deepEqual([missing.counts.missing, missing.counts.lost], [1, 1]);
  assert.match(missing.faults.join('\n'), /acknowledged and is missing/);
  const unanswered = { ...evidence, submissions: [submission, { ...other, told: null }] };
  assert.equal(faultsOf(unanswered), '', 'nobody was told that it is there');
  const lost = judgeCampaign(withTask({ task: { ...task.task, state: 'failed' } }));
  assert.equal(lost.counts.lost, 1);
  assert.match(faultsOf({ ...evidence, submissions: [] }), /nobody submitted it/);
});

test('a result that was accepted twice is found', () => {
  const twice = judgeCampaign(withTask({ receipts: [receipt(1, true), receipt(2, true)] }));
  assert.equal(twice.counts.acceptedTwice, 1);
  assert.match(twice.faults.join('\n'), /2 accepted results/);
});

test('attempts beyond the maximum are found in the database and in what the tasks told', () => {
  const four = [1, 2, 3, 4].map((n) => attempt(n));
  assert.equal(judgeCampaign(withTask({ attempts: four })).counts.tooManyAttempts, 1);
  const started = [first, ...[3, 4, 5].map((n) => ({ ...second, attempt: n })), second];
  assert.equal(judgeCampaign({ ...evidence, effects: started }).counts.tooManyAttempts, 1);
});

test('one key for two jobs or for another order is found', () => {
  const history = { ...evidence.history, jobs: [job, job] };
  assert.match(faultsOf({ ...evidence, history }), /is there twice/);
  const submissions = [{ ...submission, digest: 'another' }];
  assert.match(faultsOf({ ...evidence, submissions }), /another order than was submitted/);
});

test('signed digests of what no attempt wrote, and fetched bytes that were wrong, are found', () => {
  const tampered = receipt(2, true);
  tampered.predicate.stdout.digest = digestFrom(1);
  assert.match(faultsOf(withTask({ receipts: [tampered] })), /what no attempt of it wrote/);
  const fetched = { results: 1, wrong: [`${JOB}.0 returned “other”`] };
  assert.equal(judgeCampaign({ ...evidence, fetched }).counts.wrongBytes, 1);
});

test('a task that outlives its agent, goes on beside a later attempt or is left at the end is found', () => {
  const survivor = { ...first, closed: KILLED + 5_000 };
  const outlived = judgeCampaign({
    ...evidence,
    effects: [survivor, second],
    kills: [{ ...kill, running: [survivor] }],
  });
  assert.match(outlived.faults.join('\n'), /outlived its agent/);
  assert.match(outlived.faults.join('\n'), /went on beside a later one/);
  assert.equal(judgeCampaign({ ...evidence, orphans: ['sleep 100'] }).counts.orphans, 1);
});

test('an effect log that was tampered with is found: an end that never was, a start that nobody leased', () => {
  assert.match(faultsOf({ ...evidence, effects: [first] }), /never came to its end/);
  assert.match(
    faultsOf({ ...evidence, effects: [first, second, { ...second, attempt: 3 }] }),
    /after its result/,
  );
  assert.match(faultsOf({ ...evidence, effects: [first, second, second] }), /one attempt twice/);
});

test('an agent that ended without being killed is found', () => {
  const endedByThemselves = ['one: the disk is full'];
  assert.match(faultsOf({ ...evidence, endedByThemselves }), /ended by itself: one: the disk is full/);
});

test('a kill is effective only if it could hurt something', () => {
  assert.equal(isEffective(kill), true);
  assert.equal(isEffective({ ...kill, running: [second] }), false, 'it came to its end all the same');
  assert.equal(isEffective({ ...kill, running: [] }), false);
  const server: Kill = { ...kill, role: 'server', identity: null, running: [] };
  assert.equal(isEffective(server), false);
  assert.equal(isEffective({ ...server, unanswered: 1 }), true);
  assert.equal(isEffective({ ...server, running: [second] }), true);
});

test('percentiles are times that were measured', () => {
  assert.equal(spread([]), null);
  const hundred = Array.from({ length: 100 }, (_, at) => 100 - at);
  assert.deepEqual(spread(hundred), { count: 100, p50: 50, p99: 99, max: 100 });
  assert.deepEqual(spread([7]), { count: 1, p50: 7, p99: 7, max: 7 });
});
