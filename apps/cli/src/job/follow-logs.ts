import { ClientError } from '@writ/client';
import type { TaskView } from '@writ/contract';
import type { LogStream } from './log-stream.ts';

/** The logs of tasks while they run. What is not shown of them here is shown when their receipts are there. */
export interface FollowedLogs {
  /** What the server tells of a task. */
  task(task: Pick<TaskView, 'index' | 'attempt' | 'state'>): void;
  /** When the signal has fired. @throws what kept the logs from being shown; not what a server answered */
  over(): Promise<void>;
}

export interface LogsPlace {
  /** Undefined for a task that is not to be shown. */
  readonly streamsOf: (index: number) => readonly LogStream[] | undefined;
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
}

/** A stream is a connection, and a server has places for so many of one token. */
const mostTasks = 32;

/** Those that run and find no place here get one when another task has ended. */
export function followLogs({ streamsOf, wait, signal }: LogsPlace): FollowedLogs {
  const seen = new Map<number, number>();
  const waiting = new Map<number, number>();
  const following = new Map<number, Promise<void>>();
  let fault: unknown;

  const follow = async (index: number, attempt: number): Promise<void> => {
    try {
      await Promise.all((streamsOf(index) ?? []).map((stream) => stream.follow(attempt, { signal, wait })));
    } catch (error) {
      if (!(error instanceof ClientError)) fault ??= error;
    } finally {
      following.delete(index);
      next();
    }
  };
  const next = (): void => {
    for (const [index, attempt] of waiting) {
      if (signal.aborted || following.size >= mostTasks) return;
      if (following.has(index)) continue;
      waiting.delete(index);
      following.set(index, follow(index, attempt));
    }
  };

  return {
    task({ index, attempt, state }) {
      if (state !== 'running') {
        waiting.delete(index);
        return;
      }
      if (attempt <= (seen.get(index) ?? 0) || streamsOf(index) === undefined) return;
      seen.set(index, attempt);
      waiting.set(index, attempt);
      next();
    },
    async over() {
      await Promise.all(following.values());
      if (fault !== undefined) throw fault;
    },
  };
}
