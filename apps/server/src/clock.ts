/** Time as the rest of the server sees it. Made in compose.ts; a test may own it. */
export interface Clock {
  /** Milliseconds since 1970, UTC. */
  now(): number;
  /** Milliseconds that only ever grow: for durations. */
  monotonic(): number;
  /** Runs `then` once, unless the returned function is called before. Does not keep the process alive. */
  after(milliseconds: number, then: () => void): () => void;
}
