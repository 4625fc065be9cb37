import type { Store } from '@writ/store';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/** Between two looks: less is how clocks drift and are corrected all the time. */
const JUMP_MS = 50;

/** To be awaited before leases are judged. */
export type MindClock = () => Promise<void>;

/**
 * The ends of leases are instants of the wall clock, so that a server that is started anew knows them. When somebody sets
 * that clock, every open lease begins again: none ends while its agent still holds it, and none lasts hours.
 */
export function mindClockWith(parts: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly leaseSeconds: number;
}): MindClock {
  const { store, clock, log, leaseSeconds } = parts;
  /** Where the wall clock stood when the other one began: the same as long as nobody sets it. */
  let base = clock.now() - clock.monotonic();
  let isDue = false;
  let renewing: Promise<void> | null = null;

  return async () => {
    const jumped = clock.now() - clock.monotonic() - base;
    base += jumped;
    if (Math.abs(jumped) > JUMP_MS) {
      isDue = true;
      log('warning', 'clock.jumped', { milliseconds: Math.round(jumped) });
    }
    if (!isDue) return;
    renewing ??= store.leases
      .renewAll(leaseSeconds, { actor: 'server', source: 'clock', now: clock.now() })
      .then(() => void (isDue = false))
      .finally(() => (renewing = null));
    await renewing;
  };
}
