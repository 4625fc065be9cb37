import type { AgentError } from './agent-error.ts';
import type { Clock } from './clock.ts';
import type { TaskHolding } from './hold-tasks.ts';
import type { HeldTask } from './lease-book.ts';
import type { Log } from './log.ts';

/** How this agent gives up what it has: told to, without its launcher, or because its disk did not take a record. */
export interface Leaving {
  /** Nothing new is taken. */
  readonly isLeaving: boolean;
  /** Which record the disk did not take. */
  readonly lost: AgentError | undefined;
  /** Given up while the server can still be told: others take it at once, and no task ends as if its job had failed. */
  leave(): Promise<void>;
  /** What had not started is others' at once, and no attempt of it is used up. */
  leaveUnstarted(): Promise<void>;
  /** What the disk did not take cannot be promised, and nothing more is. */
  loseRecord(error: AgentError): void;
  /** Resolves after a record was lost and what ran here has ended: others take it. */
  afterLoss(): Promise<void>;
}

export interface LeavingParts {
  readonly tasks: () => Iterable<HeldTask>;
  readonly holding: () => Pick<TaskHolding, 'handBack' | 'stopHeld'>;
  /** What has left the queue and was not reported yet. */
  readonly inHand: ReadonlyMap<string, Promise<void>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** How long it may take until what ran here has ended and the server knows. */
const MOST_LEAVING = 3_000;

export function openLeaving(parts: LeavingParts): Leaving {
  const { tasks, holding, inHand, clock, signal, log } = parts;
  let isLeaving = false;
  let lost: AgentError | undefined;
  const losing = Promise.withResolvers<void>();

  const handBackAll = async (): Promise<void> => {
    isLeaving = true;
    await holding().handBack(Array.from(tasks()));
  };
  const stopAll = async (): Promise<void> => {
    for (const task of Array.from(tasks())) holding().stopHeld(task, 'lost', 'kill');
    await Promise.race([Promise.all(inHand.values()), clock.wait(MOST_LEAVING, signal)]);
  };

  return {
    get isLeaving() {
      return isLeaving;
    },
    get lost() {
      return lost;
    },
    async leave() {
      await handBackAll();
      await stopAll();
    },
    async leaveUnstarted() {
      await handBackAll();
      // Written with the end of this turn. For longer the server would lease to it again.
      await clock.wait(1, signal);
    },
    loseRecord(error) {
      lost ??= error;
      isLeaving = true;
      log('agent.record_lost', { code: error.code, why: error.message });
      losing.resolve();
    },
    afterLoss: () => losing.promise.then(stopAll),
  };
}
