import type { Store } from '@writ/store';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { MindClock } from '../mind-clock.ts';

export interface LeaseKeeper {
  close(): void;
}

const EXPIRY_MS = 1_000;

/**
 * Ends leases whose time is over and orders that may not start any more. The store says what is due; this only looks
 * often enough: a lease ends at most a fifth of its length late.
 */
export function keepLeases(parts: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly leaseSeconds: number;
  readonly mindClock: MindClock;
  /** Work came back, or agents lost theirs. */
  readonly onReleased: (
    tasks: readonly { readonly job: string; readonly index: number; readonly identity: string }[],
  ) => void;
}): LeaseKeeper {
  const { store, clock, log, leaseSeconds, mindClock, onReleased } = parts;
  const stops = new Set<() => void>();
  let isClosed = false;

  const again = (every: number, name: string, act: () => Promise<void>): void => {
    const stop = clock.after(every, () => {
      stops.delete(stop);
      act()
        .catch((error: unknown) => log('error', name, { error }))
        .finally(() => {
          if (!isClosed) again(every, name, act);
        });
    });
    stops.add(stop);
  };

  const by = () => ({ actor: 'server', source: 'clock', now: clock.now() });
  again(Math.min(1_000, Math.max(20, leaseSeconds * 200)), 'lease.lapse_failed', async () => {
    await mindClock();
    const due = await store.leases.nextLapse();
    if (due === null || due > clock.now()) return;
    for (let isMore = true; isMore;) {
      const released = await store.leases.lapse(by());
      isMore = released.isMore;
      if (released.tasks.length === 0) continue;
      log('warning', 'lease.lapsed', { tasks: released.tasks.length });
      onReleased(released.tasks);
    }
  });
  again(EXPIRY_MS, 'order.expire_failed', async () => {
    const due = await store.leases.nextExpiry();
    if (due === null || due >= clock.now()) return;
    for (let isMore = true; isMore;) {
      const expired = await store.leases.expire(by());
      isMore = expired.isMore;
      if (expired.jobs.length > 0) log('note', 'order.expired', { jobs: expired.jobs.length });
    }
  });

  return {
    close() {
      isClosed = true;
      for (const stop of stops) stop();
    },
  };
}
