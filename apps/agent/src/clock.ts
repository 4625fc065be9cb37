/** Time comes in as an argument; `compose.ts` has the real one. */
export interface Clock {
  /** Milliseconds since 1970 in UTC, by this machine. Nobody else's clock is asked. */
  now(): number;
  /** Milliseconds that only grow: for durations. */
  monotonic(): number;
  /** Resolves after that many milliseconds, or at once when the signal fires. */
  wait(milliseconds: number, signal?: AbortSignal): Promise<void>;
}
