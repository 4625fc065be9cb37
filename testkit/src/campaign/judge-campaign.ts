import { digestOf } from '@writ/trust/digest';
import type { Effect } from '../effect-log.ts';
import { judgeHistory } from '../judge-history.ts';
import type { History, TaskHistory } from '../read-history.ts';
import { hurtBy, isEffective, type Kill, type Role, ROLES } from './kill.ts';
import type { Submission } from './submission-history.ts';
import { OUTPUT, saidBy } from './task-line.ts';

/** What each of those who saw it kept: the database, the submitters, the tasks themselves, and who killed. */
export interface Evidence {
  readonly history: History;
  readonly submissions: readonly Submission[];
  readonly effects: readonly Effect[];
  readonly kills: readonly Kill[];
  /** Lines of processes that were left when all had been stopped. */
  readonly orphans: readonly string[];
  /** Results that were fetched over the network, and what was wrong with them. */
  readonly fetched: { readonly results: number; readonly wrong: readonly string[] };
  /** Agents that ended without being killed, with the last that they wrote. */
  readonly endedByThemselves: readonly string[];
}

/** Of milliseconds. */
export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface RoleVerdict {
  readonly role: Role;
  readonly kills: number;
  readonly effective: number;
  /** Effective ones of a server or PostgreSQL, counted apart: tasks ran, somebody waited for an acknowledgement. */
  readonly whileRunning: number;
  readonly whileUnanswered: number;
  /** Tasks that were ended by it and had to run again. */
  readonly hurt: number;
  /** Until it was started again. */
  readonly restart: Spread | null;
  /** Until the first new result was accepted: of that agent, or of any. */
  readonly recovery: Spread | null;
  /** Until a task that it ended ran again. */
  readonly again: Spread | null;
}

export interface Verdict {
  readonly roles: readonly RoleVerdict[];
  readonly counts: {
    readonly submissions: number;
    readonly tasks: number;
    readonly starts: number;
    /** Tasks that needed more than one attempt. */
    readonly triedAgain: number;
    /** Jobs that were in the database although their submitter got no answer at first. */
    readonly lostAcknowledgements: number;
    /** Results that were sent and not accepted, because the lease was over. */
    readonly staleResults: number;
    /** Results of an earlier attempt that stand for a later one on the same agent. */
    readonly adopted: number;
    readonly fetchedResults: number;
    readonly lost: number;
    readonly acceptedTwice: number;
    readonly tooManyAttempts: number;
    readonly missing: number;
    readonly doubled: number;
    readonly wrongBytes: number;
    readonly orphans: number;
  };
  /** What does not hold; nothing is good. */
  readonly faults: readonly string[];
}

/** So long a busy machine may need to end processes; what their owner's end does not end goes on for longer. */
const ORPHAN_MS = 3_000;

export function judgeCampaign(evidence: Evidence): Verdict {
  const { history, submissions, effects, kills, fetched } = evidence;
  const told = submissions.filter((one) => one.told !== null);
  const jobs = new Map(history.jobs.map((one) => [one.job.id, one]));
  const tasks = history.jobs.flatMap((one) => one.tasks);
  const byTask = Map.groupBy(effects, ({ job, index }) => `${job}.${index}`);
  const limits = new Map(history.jobs.map(({ job }) => [job.id, job.maxAttempts]));

  const missing = told
    .filter(({ job }) => !jobs.has(job))
    .map(({ job }) => `${job} was acknowledged and is missing`);
  const lost = told.flatMap(({ job, tasks: count }) => {
    const found = jobs.get(job)?.tasks.filter(({ task }) => task.state === 'succeeded').length ?? 0;
    return found === count ? [] : [`${count - found} of the ${count} tasks of ${job} are lost`];
  });
  const acceptedTwice = tasks
    .filter((one) => resultsOf(one).length > 1)
    .map((one) => `${nameOf(one)} has ${resultsOf(one).length} accepted results`);
  const tooManyAttempts = tasks
    .filter(({ task, attempts }) => {
      const most = limits.get(task.job) ?? 0;
      const starts = byTask.get(`${task.job}.${task.index}`)?.length ?? 0;
      return starts > most || attempts.some(({ attempt }) => attempt > most);
    })
    .map((one) => `${nameOf(one)} had more attempts than its order allows`);
  const doubled = judgeKeys(history, submissions);
  const wrongBytes = [
    ...tasks.flatMap((one) => judgeBytes(one, byTask.get(nameOf(one)) ?? [])),
    ...fetched.wrong,
  ];
  const orphans = [
    ...evidence.orphans.map((line) => `a process was left: ${line.replaceAll('\0', ' ').trim()}`),
    ...findOrphans(evidence, byTask),
  ];
  const acknowledged = told.map(({ job, tasks: count }) => ({ job, tasks: count }));
  const refusedOf = ({ receipts }: TaskHistory): number =>
    receipts.filter(({ isAccepted, code }) => !isAccepted && code === 'lease.stale').length;
  return {
    roles: ROLES.filter((role) => kills.some((kill) => kill.role === role)).map((role) =>
      measureRole(role, evidence, byTask),
    ),
    counts: {
      submissions: told.length,
      tasks: tasks.length,
      starts: effects.length,
      triedAgain: tasks.filter(({ task }) => task.attempt > 1).length,
      lostAcknowledgements: submissions.filter(({ job, failed }) => {
        const submitted = jobs.get(job)?.job.submitted;
        return submitted !== undefined && failed.some((time) => time >= submitted);
      }).length,
      staleResults: tasks.reduce((sum, one) => sum + refusedOf(one), 0),
      adopted: tasks.filter((one) => resultsOf(one).some(({ predicate }) => predicate.kind === 'adopted'))
        .length,
      fetchedResults: fetched.results,
      lost: told.reduce((sum, { job, tasks: count }) => {
        const found = jobs.get(job)?.tasks.filter(({ task }) => task.state === 'succeeded').length ?? 0;
        return sum + Math.max(0, count - found);
      }, 0),
      acceptedTwice: acceptedTwice.length,
      tooManyAttempts: tooManyAttempts.length,
      missing: missing.length,
      doubled: doubled.length,
      wrongBytes: wrongBytes.length,
      orphans: orphans.length,
    },
    faults: [
      ...missing,
      ...lost,
      ...acceptedTwice,
      ...tooManyAttempts,
      ...doubled,
      ...wrongBytes,
      ...orphans,
      ...evidence.endedByThemselves.map((what) => `an agent ended by itself: ${what}`),
      ...judgeHistory(history, acknowledged, effects),
    ],
  };
}

const nameOf = ({ task }: TaskHistory): string => `${task.job}.${task.index}`;

const resultsOf = ({ receipts }: TaskHistory): TaskHistory['receipts'] =>
  receipts.filter(({ isAccepted, predicate }) => isAccepted && predicate.because === 'exit');

/** One key, one job, and it is the one that was asked for. */
function judgeKeys({ jobs }: History, submissions: readonly Submission[]): string[] {
  const asked = new Map(submissions.map((one) => [one.job, one]));
  const seen = new Set<string>();
  return jobs.flatMap(({ job }) => {
    const faults: string[] = [];
    if (seen.has(job.id)) faults.push(`${job.id} is there twice`);
    seen.add(job.id);
    const submission = asked.get(job.id);
    if (!submission) faults.push(`${job.id} is there and nobody submitted it`);
    else if (submission.digest !== job.digest) faults.push(`${job.id} is another order than was submitted`);
    return faults;
  });
}

/** The digest that was signed is that of what an attempt wrote that came to its end. */
function judgeBytes(one: TaskHistory, effects: readonly Effect[]): string[] {
  const { job, index } = one.task;
  const expected = new Set(
    effects
      .filter(({ isDone }) => isDone)
      .map(({ attempt }) => digestOf(Buffer.from(saidBy(job, index, attempt)))),
  );
  return resultsOf(one).flatMap(({ predicate }) => {
    const { stdout, outputs } = predicate;
    const isWrong =
      !expected.has(stdout.digest) ||
      outputs.some(({ path, digest }) => path !== OUTPUT || !expected.has(digest));
    return isWrong ? [`${nameOf(one)} has signed digests of what no attempt of it wrote`] : [];
  });
}

/** What still ran when its agent or launcher was dead, or another attempt had begun. */
function findOrphans({ kills }: Evidence, byTask: ReadonlyMap<string, readonly Effect[]>): string[] {
  const orphans: string[] = [];
  const livedTo = ({ closed }: Effect): number => closed ?? Number.POSITIVE_INFINITY;
  const nameIt = ({ job, index, attempt }: Effect): string => `attempt ${attempt} of ${job}.${index}`;
  for (const { role, at, running } of kills) {
    if (role !== 'agent' && role !== 'launcher') continue;
    for (const effect of running)
      if (livedTo(effect) > at + ORPHAN_MS) orphans.push(`${nameIt(effect)} outlived its ${role}`);
  }
  for (const effects of byTask.values())
    for (const effect of effects)
      if (
        effects.some((other) => other.attempt > effect.attempt && livedTo(effect) > other.began + ORPHAN_MS)
      )
        orphans.push(`${nameIt(effect)} went on beside a later one`);
  return orphans;
}

function measureRole(
  role: Role,
  { kills, history }: Evidence,
  byTask: ReadonlyMap<string, readonly Effect[]>,
): RoleVerdict {
  const own = kills.filter((kill) => kill.role === role);
  const effective = own.filter(isEffective);
  const accepted = history.jobs
    .flatMap(({ tasks }) => tasks.flatMap(resultsOf))
    .map(({ received, identity }) => ({ received, identity }))
    .toSorted((left, right) => left.received - right.received);
  const next = ({ at, back, identity }: Kill): number | undefined => {
    // Of an agent only what it reported after it was started again is news of it.
    const since = identity === null ? at : (back ?? Number.POSITIVE_INFINITY);
    return accepted.find((one) => one.received > since && (identity === null || one.identity === identity))
      ?.received;
  };
  const again = (effect: Effect): number | undefined =>
    byTask.get(`${effect.job}.${effect.index}`)?.find(({ attempt }) => attempt > effect.attempt)?.began;
  return {
    role,
    kills: own.length,
    effective: effective.length,
    whileRunning: own.filter(({ running }) => running.length > 0).length,
    whileUnanswered: own.filter(({ unanswered }) => unanswered > 0).length,
    hurt: own.flatMap(hurtBy).filter((effect) => again(effect) !== undefined).length,
    restart: spread(own.flatMap(({ at, back }) => (back === null ? [] : [back - at]))),
    recovery: spread(effective.flatMap((kill) => minus(next(kill), kill.at))),
    again: spread(own.flatMap((kill) => hurtBy(kill).flatMap((effect) => minus(again(effect), kill.at)))),
  };
}

const minus = (time: number | undefined, at: number): number[] => (time === undefined ? [] : [time - at]);

/** Each figure is one that was measured: the nearest rank. */
export function spread(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((left, right) => left - right);
  const rank = (percent: number): number =>
    sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
  return { count: sorted.length, p50: rank(50), p99: rank(99), max: rank(100) };
}
