import type { Clock } from './clock.ts';

const MOST_ADDRESSES = 10_000;

/** Counts what comes from one address. The returned function says whether this one was too many. */
export function limitRate(clock: Clock, rate: { readonly most: number; readonly perMs: number }) {
  const asked = new Map<string, { since: number; count: number }>();
  return (address: string): boolean => {
    const now = clock.monotonic();
    const before = asked.get(address);
    if (!before || now - before.since > rate.perMs) {
      if (asked.size > MOST_ADDRESSES) asked.clear();
      asked.set(address, { since: now, count: 1 });
      return false;
    }
    before.count += 1;
    return before.count > rate.most;
  };
}
