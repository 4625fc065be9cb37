import type { Clock } from './clock.ts';
import type { LeasedJob } from './leased-job.ts';

/** Does it for a job that is this agent's, and tries again until it succeeds; gives up with the lease. */
export type WhileMine = <T>(job: LeasedJob, what: () => Promise<T>) => Promise<T>;

export interface TryingParts {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly isLinked: () => boolean;
  /** Resolves with the next link. */
  readonly linked: () => Promise<void>;
}

const MOST_FAILURES = 100;
const LONGEST_WAIT = 1_000;

export function keepTryingWith({ clock, signal, isLinked, linked }: TryingParts): WhileMine {
  return async (job, what) => {
    for (let failures = 0; ; failures += 1) {
      try {
        return await what();
      } catch (error) {
        if (job.stop === 'lost' || !job.task.isMine || signal.aborted || failures > MOST_FAILURES)
          throw error;
        await clock.wait(50 + Math.min(LONGEST_WAIT, failures * 100), signal);
        // A lost link is waited for as long as the lease holds.
        if (!isLinked()) await Promise.race([linked(), clock.wait(LONGEST_WAIT, signal)]);
      }
    }
  };
}
