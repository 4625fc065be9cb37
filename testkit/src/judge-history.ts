import { TASK_STATES } from '@writ/contract';
import type { Effect } from './effect-log.ts';
import type { History, JobHistory, TaskHistory } from './read-history.ts';

/** What its submitter was told: this job is taken. */
export interface Acknowledged {
  readonly job: string;
  readonly tasks: number;
}

/**
 * What must hold of jobs that always succeed, whoever was killed meanwhile. Judges what the server kept by what
 * submitters were told and what tasks themselves said.
 *
 * @returns what does not hold; nothing is good.
 */
export function judgeHistory(
  history: History,
  acknowledged: readonly Acknowledged[],
  effects: readonly Effect[],
): string[] {
  const faults: string[] = [];
  const jobs = new Map(history.jobs.map((job) => [job.job.id, job]));
  const told = Map.groupBy(effects, ({ job, index }) => `${job}.${index}`);
  for (const { job, tasks } of acknowledged) {
    const found = jobs.get(job);
    if (!found) faults.push(`${job} was acknowledged and is not there`);
    else if (found.job.size !== tasks || found.tasks.length !== tasks)
      faults.push(`${job} has ${found.job.size} tasks and lists ${found.tasks.length}, not ${tasks}`);
  }
  for (const job of jobs.values()) {
    faults.push(...judgeCounts(job));
    for (const one of job.tasks)
      faults.push(...judgeTask(one, job.job.maxAttempts, told.get(nameOf(one)) ?? []));
  }
  for (const name of told.keys())
    if (!jobs.get(name.split('.')[0] ?? '')) faults.push(`${name} started and nobody knows the job`);
  faults.push(...judgeAudit(history));
  return faults;
}

const nameOf = ({ task }: TaskHistory): string => `${task.job}.${task.index}`;

function judgeCounts({ job, tasks }: JobHistory): string[] {
  const faults: string[] = [];
  for (const state of TASK_STATES) {
    const counted = tasks.filter(({ task }) => task.state === state).length;
    if (counted !== job.counts[state])
      faults.push(`${job.id} counts ${job.counts[state]} tasks ${state}, and has ${counted}`);
  }
  if (job.state !== 'succeeded') faults.push(`${job.id} is ${job.state}`);
  return faults;
}

function judgeTask(one: TaskHistory, maxAttempts: number, effects: readonly Effect[]): string[] {
  const { task, attempts, receipts } = one;
  const faults: string[] = [];
  const say = (what: string): void => void faults.push(`${nameOf(one)} ${what}`);
  if (task.state !== 'succeeded') say(`ended ${task.state}: ${task.because}`);

  // One result, and it is the word of the agent that held the lease of the last attempt.
  const results = receipts.filter(({ isAccepted, predicate }) => isAccepted && predicate.kind !== 'refused');
  const successes = results.filter(({ predicate }) => predicate.because === 'exit');
  if (successes.length !== 1) say(`has ${successes.length} accepted results`);
  const [result] = successes;
  if (result && task.receipt !== result.digest) say('has another receipt than the accepted one');
  if (result && result.attempt !== task.attempt)
    say(`was accepted from attempt ${result.attempt}, its last is ${task.attempt}`);
  if (result && attempts.at(-1)?.identity !== result.identity)
    say('was accepted from an agent that did not hold it');

  // Tokens rise, and attempts with them.
  for (const [at, attempt] of attempts.entries()) {
    const before = attempts[at - 1];
    if (attempt.attempt > maxAttempts) say(`had attempt ${attempt.attempt} of at most ${maxAttempts}`);
    if (!before) continue;
    if (before.token.epoch > attempt.token.epoch || before.token.n >= attempt.token.n)
      say(`had token ${attempt.token.n} after ${before.token.n}`);
    if (
      before.outcome === 'returned' ? attempt.attempt !== before.attempt : attempt.attempt <= before.attempt
    )
      say(`had attempt ${attempt.attempt} after ${before.attempt} (${before.outcome})`);
  }

  // What it did itself.
  const started = effects.map(({ attempt }) => attempt);
  if (new Set(started).size !== started.length) say(`started one attempt twice: ${started.join(', ')}`);
  if (started.length > maxAttempts) say(`started ${started.length} times`);
  if (started.some((attempt) => attempt > task.attempt)) say('started after its result');
  if (result && !startedFor(result, receipts, effects)) say('has a result and never came to its end');
  return faults;
}

/** An adopted result is that of an earlier attempt on the same agent. */
function startedFor(
  result: TaskHistory['receipts'][number],
  receipts: TaskHistory['receipts'],
  effects: readonly Effect[],
): boolean {
  const { kind, adopts } = result.predicate;
  const attempt =
    kind === 'adopted' ? receipts.find(({ digest }) => digest === adopts)?.attempt : result.attempt;
  // The agent's first word of it may have been lost with a lease that was over.
  if (attempt === undefined) return effects.some((effect) => effect.isDone);
  return effects.some((effect) => effect.attempt === attempt && effect.isDone);
}

/** The trail is whole, and tells as many changes as there were. */
function judgeAudit({ audit, audited, jobs }: History): string[] {
  const faults: string[] = [];
  if (!audit.isWhole) faults.push(`the audit chain is broken at ${audit.firstBad}: ${audit.fault}`);
  const tasks = jobs.flatMap((job) => job.tasks);
  const expected = {
    'job.submitted': jobs.length,
    'task.leased': tasks.reduce((sum, { attempts }) => sum + attempts.length, 0),
    'task.succeeded': tasks.filter(({ task }) => task.state === 'succeeded').length,
    'receipt.refused': tasks.flatMap(({ receipts }) => receipts.filter(({ isAccepted }) => !isAccepted))
      .length,
  };
  for (const [action, count] of Object.entries(expected))
    if ((audited.get(action) ?? 0) !== count)
      faults.push(`the audit trail tells of ${audited.get(action) ?? 0} × ${action}, there were ${count}`);
  return faults;
}
