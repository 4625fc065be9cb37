import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from './clock.ts';

/** This machine's own time. */
export const systemClock = (): Clock => ({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  wait: (milliseconds, signal) =>
    wait(milliseconds, undefined, signal ? { signal } : {}).catch(() => undefined),
});
