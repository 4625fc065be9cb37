import type { Log } from './log.ts';

/** What was opened, to be closed in reverse: once, and whatever of it fails. */
export interface Closing {
  add(...steps: (() => unknown)[]): void;
  close(): Promise<void>;
  /** Resolves when all is closed. */
  readonly closed: Promise<void>;
}

export function openClosing(log: Log): Closing {
  const steps: (() => unknown)[] = [];
  const closed = Promise.withResolvers<void>();
  let closing: Promise<void> | null = null;

  const closeAll = async (): Promise<void> => {
    log('note', 'server.stopping', {});
    for (const step of steps.toReversed()) {
      try {
        await step();
      } catch (error) {
        log('error', 'server.close_failed', { error });
      }
    }
    log('note', 'server.stopped', {});
    closed.resolve();
  };

  return {
    add: (...more) => void steps.push(...more),
    close: async () => await (closing ??= closeAll()),
    closed: closed.promise,
  };
}
