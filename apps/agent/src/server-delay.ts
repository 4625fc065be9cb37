/** By how much words of the server come late. */
export interface ServerDelay {
  /** Another link: perhaps another clock. */
  restart(): void;
  /**
   * A word that the server said at `saidAt` by its clock is here at `now` by ours.
   * @returns by how many milliseconds it took longer than the quickest of late.
   */
  of(saidAt: number, now: number): number;
}

/** Two clocks drift apart by less than a tenth of a second in that time. */
const LATE_MS = 60_000;

/**
 * A lease counts from when it was given, and it may have been under way for longer than it lasts: its agent was paused,
 * or the network. Nobody knows how long a word takes, but that one took longer than another is known without a common
 * clock, and no answer has to be waited for.
 */
export function measureServerDelay(): ServerDelay {
  let since = Number.NEGATIVE_INFINITY;
  let quickest = Number.POSITIVE_INFINITY;
  let quickestBefore = Number.POSITIVE_INFINITY;

  return {
    restart() {
      since = Number.NEGATIVE_INFINITY;
      quickest = quickestBefore = Number.POSITIVE_INFINITY;
    },
    of(saidAt, now) {
      if (now - since > LATE_MS) {
        quickestBefore = now - since > 2 * LATE_MS ? Number.POSITIVE_INFINITY : quickest;
        quickest = Number.POSITIVE_INFINITY;
        since = now;
      }
      const took = now - saidAt;
      quickest = Math.min(quickest, took);
      return took - Math.min(quickest, quickestBefore);
    },
  };
}
