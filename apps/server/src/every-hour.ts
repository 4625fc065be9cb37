import type { Clock } from './clock.ts';

const HOUR_MS = 3_600_000;

/** Does it an hour from now and an hour after each end. `close` waits for what is under way. */
export function everyHour(clock: Clock, act: () => Promise<void>): { close(): Promise<void> } {
  let isClosed = false;
  let running: Promise<void> = Promise.resolve();
  let stop = (): void => {};
  const wait = (): void => {
    if (isClosed) return;
    stop = clock.after(HOUR_MS, () => {
      running = act().finally(wait);
    });
  };
  wait();
  return {
    async close() {
      isClosed = true;
      stop();
      await running;
    },
  };
}
