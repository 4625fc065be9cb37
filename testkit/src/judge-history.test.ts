import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TASK_STATES, type TaskState } from '@writ/contract';
import type { Effect } from './effect-log.ts';
import { judgeHistory } from './judge-history.ts';
import type { History, JobHistory, TaskHistory } from './read-history.ts';

const JOB = 'a'.repeat(26);
type Attempt = TaskHistory['attempts'][number];
type Receipt = TaskHistory['receipts'][number];

const attempt = (n: number, changes: Partial<Attempt> = {}): Attempt => ({
  index: 0,
  attempt: n,
  token: { epoch: 1, n },
  identity: `agent-${n}`,
  outcome: n === 2 ? 'succeeded' : 'lost',
  because: n === 2 ? 'exit' : 'lost',
  ended: n,
  receipt: n === 2 ? 'receipt-2' : null,
  ...changes,
});
const receipt = (n: number, isAccepted: boolean, kind = 'ended'): Receipt =>
  ({
    digest: `receipt-${n}`,
    job: JOB,
    index: 0,
    attempt: n,
    identity: `agent-${n}`,
    isAccepted,
    predicate: { kind, because: 'exit', adopts: 'receipt-1' },
  }) as unknown as Receipt;
const effect = (n: number, isDone = true): Effect => ({
  job: JOB,
  index: 0,
  attempt: n,
  uid: n,
  isDone,
  isAlive: false,
  began: n,
  closed: n + 1,
});
const counts = (state: TaskState) =>
  Object.fromEntries(TASK_STATES.map((one) => [one, one === state ? 1 : 0])) as JobHistory['job']['counts'];

/** Lost once, then done; the first result came late. */
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
  receipts: [receipt(1, false), receipt(2, true)],
};
const effects = [effect(1), effect(2)];
const job: JobHistory = {
  job: {
    id: JOB,
    digest: 'order',
    state: 'succeeded',
    size: 1,
    maxAttempts: 3,
    submitted: 0,
    counts: counts('succeeded'),
  },
  tasks: [task],
};
const history: History = {
  jobs: [job],
  audit: { isWhole: true, records: 5, head: '' },
  audited: new Map([
    ['job.submitted', 1],
    ['task.leased', 2],
    ['task.succeeded', 1],
    ['receipt.refused', 1],
  ]),
};
const acknowledged = [{ job: JOB, tasks: 1 }];

const withTask = (changes: Partial<TaskHistory>): History => ({
  ...history,
  jobs: [{ ...job, tasks: [{ ...task, ...changes }] }],
});
const faultsOf = (changed: History, said = acknowledged, seen = effects): string =>
  judgeHistory(changed, said, seen).join('\n');

test('nothing is wrong with a task that was lost once and then done', () => {
  assert.equal(faultsOf(history), '');
});

test('a lost job and a lost task are found', () => {
  assert.match(faultsOf(history, [...acknowledged, { job: 'b'.repeat(26), tasks: 1 }]), /is not there/);
  assert.match(faultsOf(history, [{ job: JOB, tasks: 2 }]), /not 2/);
  assert.match(
    faultsOf(withTask({ task: { ...task.task, state: 'failed', because: 'lost' } })),
    /ended failed: lost/,
  );
});

test('a second accepted result is found, and one from whoever did not hold the task', () => {
  assert.match(faultsOf(withTask({ receipts: [receipt(1, true), receipt(2, true)] })), /2 accepted results/);
  assert.match(
    faultsOf(withTask({ receipts: [receipt(1, true)] })),
    /accepted from attempt 1, its last is 2/,
  );
  assert.match(
    faultsOf(withTask({ attempts: [attempt(1), attempt(2, { identity: 'agent-3' })] })),
    /did not hold it/,
  );
});

test('tokens and attempts that do not rise, and too many of them, are found', () => {
  assert.match(
    faultsOf(withTask({ attempts: [attempt(1), attempt(2, { token: { epoch: 1, n: 1 } })] })),
    /token 1 after 1/,
  );
  assert.match(
    faultsOf(withTask({ attempts: [attempt(2), attempt(2, { token: { epoch: 1, n: 3 } })] })),
    /attempt 2 after 2/,
  );
  assert.match(faultsOf(withTask({ attempts: [attempt(1), attempt(4)] })), /attempt 4 of at most 3/);
});

test('starts that should not have been are found, and results without a start', () => {
  assert.match(faultsOf(history, acknowledged, [effect(1), effect(2), effect(2)]), /one attempt twice/);
  assert.match(faultsOf(history, acknowledged, [...effects, effect(3)]), /started after its result/);
  assert.match(faultsOf(history, acknowledged, [effect(1), effect(2, false)]), /never came to its end/);
  const adopted = withTask({ receipts: [receipt(1, false), receipt(2, true, 'adopted')] });
  assert.equal(faultsOf(adopted, acknowledged, [effect(1)]), '');
  assert.match(faultsOf(adopted, acknowledged, [effect(1, false)]), /never came to its end/);
});

test('counters that are not the tasks’, and a trail that is not the changes’, are found', () => {
  const miscounted: History = {
    ...history,
    jobs: [{ ...job, job: { ...job.job, counts: counts('waiting') } }],
  };
  assert.match(faultsOf(miscounted), /counts 1 tasks waiting, and has 0/);
  assert.match(
    faultsOf({ ...history, audit: { isWhole: false, records: 3, firstBad: 4, fault: 'hash' } }),
    /broken at 4: hash/,
  );
  const forgotten = new Map([...history.audited, ['task.leased', 1]] as [string, number][]);
  assert.match(faultsOf({ ...history, audited: forgotten }), /1 × task.leased, there were 2/);
});
