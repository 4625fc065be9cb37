import type { FromAgent } from '@writ/contract';
import { LINK_ROUTES } from '@writ/contract';
import type { LeasedJob } from './leased-job.ts';
import { plainTask } from './lease-book.ts';
import { reasonOf } from './log.ts';
import type { Log } from './log.ts';
import { readProgress } from './logs/progress-lines.ts';
import type { Progress } from './logs/progress-lines.ts';
import { tailLog } from './logs/tail-log.ts';
import type { LogTail, TailPlace } from './logs/tail-log.ts';

/** What is told of a task while it runs: that it started, its log, its progress. Short tasks say nothing. */
export interface LiveJobs {
  add(job: LeasedJob): void;
  remove(job: LeasedJob): void;
  tailsOf(job: LeasedJob): Tails;
  /** Undefined while nothing has looked at its log. */
  begunTailsOf(job: LeasedJob): Tails | undefined;
  /** How far it is, by its own word. */
  tell(job: LeasedJob, said: Progress): void;
  /** Called every few hundredths of a second while anything runs. */
  look(): void;
  readonly jobs: Iterable<LeasedJob>;
  /** Those of which the launcher has not said that they run. */
  readonly notBegun: readonly LeasedJob[];
}

export interface Tails {
  readonly stdout: LogTail;
  readonly stderr: LogTail;
}

export interface LiveParts {
  readonly monotonic: () => number;
  readonly send: (message: FromAgent) => void;
  readonly sendLog: (
    path: string,
    offset: number,
    size: number,
    bytes: Parameters<TailPlace['send']>[2],
  ) => Promise<void>;
  readonly isLinked: () => boolean;
  readonly log: Log;
}

/** Each word costs the server a transaction; nobody misses it for a task that is over before it is read. */
const TOLD_AFTER = 200;
const LOGS_EVERY = 100;
const MOST_AT_ONCE = 2000;

export function openLiveJobs(parts: LiveParts): LiveJobs {
  const live = new Map<LeasedJob, { isTold: boolean; isPushing: boolean; lookAt: number }>();
  const tails = new WeakMap<LeasedJob, Tails>();

  const tailsOf = (job: LeasedJob): Tails => {
    const known = tails.get(job);
    if (known) return known;
    const made = makeTails(job);
    tails.set(job, made);
    return made;
  };
  const makeTails = (job: LeasedJob): Tails => {
    const { task } = job;
    const pathOf = (stream: string): string =>
      LINK_ROUTES.log
        .replace(':job', task.job)
        .replace(':index', String(task.index))
        .replace(':attempt', String(task.attempt))
        .replace(':stream', stream);
    const of = (stream: 'stdout' | 'stderr', onBytes?: (bytes: Buffer) => void): LogTail =>
      tailLog({
        path: (stream === 'stdout' ? job.running?.stdoutFile : job.running?.stderrFile) ?? '',
        mostBytes: job.verified.order.limits.logBytes,
        send: (offset, size, bytes) => parts.sendLog(pathOf(stream), offset, size, bytes),
        ...(onBytes ? { onBytes } : {}),
      });
    const progress = readProgress(parts.monotonic, (found) => tell(job, found));
    return { stdout: of('stdout', progress), stderr: of('stderr') };
  };

  const tell = ({ task }: LeasedJob, said: Progress): void =>
    parts.send({ is: 'progress', task: plainTask(task), ...said });

  const push = async (job: LeasedJob): Promise<void> => {
    const { stdout, stderr } = tailsOf(job);
    await stdout.push();
    await stderr.push();
  };

  return {
    get jobs() {
      return live.keys();
    },
    get notBegun() {
      return Array.from(live).flatMap(([job, { lookAt }]) =>
        lookAt === Number.POSITIVE_INFINITY ? [job] : [],
      );
    },
    add(job) {
      // A run may wait in the launcher behind another one of its slot: its time counts from its own start.
      const state = { isTold: false, isPushing: false, lookAt: Number.POSITIVE_INFINITY };
      live.set(job, state);
      job.running?.running.then(
        (forMs) => {
          job.startedAt = parts.monotonic() - forMs;
          state.lookAt = job.startedAt + LOGS_EVERY;
        },
        () => undefined,
      );
    },
    remove: (job) => void live.delete(job),
    tailsOf,
    begunTailsOf: (job) => tails.get(job),
    tell,
    look() {
      if (live.size === 0 || !parts.isLinked()) return;
      const now = parts.monotonic();
      const told = [];
      for (const [job, state] of live) {
        const age = now - job.startedAt;
        if (!state.isTold && age > TOLD_AFTER && state.lookAt !== Number.POSITIVE_INFINITY) {
          state.isTold = true;
          told.push(plainTask(job.task));
        }
        if (now < state.lookAt || state.isPushing) continue;
        state.isPushing = true;
        state.lookAt = now + LOGS_EVERY;
        push(job)
          .catch((error: unknown) =>
            parts.log('log.not_sent', { task: `${job.task.job}.${job.task.index}`, why: reasonOf(error) }),
          )
          .finally(() => (state.isPushing = false));
      }
      for (let at = 0; at < told.length; at += MOST_AT_ONCE)
        parts.send({ is: 'started', tasks: told.slice(at, at + MOST_AT_ONCE) });
    },
  };
}
