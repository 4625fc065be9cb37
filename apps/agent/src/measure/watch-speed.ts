import { reasonOf } from '../log.ts';
import type { Log } from '../log.ts';

/** How fast this machine is: measured when it is first linked, and again when it has done nothing for a while. */
export interface Speed {
  /** The best of what was measured; 0 before. */
  readonly megaflops: number;
  /** Jobs need not wait for it. */
  measureFirst(): void;
  /** There is work: it is not idle from now on. */
  isBusy(): void;
  /** There is none now. */
  lookIdle(now: number): void;
}

export interface SpeedParts {
  readonly measure: (signal: AbortSignal) => Promise<number>;
  readonly signal: AbortSignal;
  /** By the monotonic clock. */
  readonly since: number;
  readonly onFaster: () => void;
  readonly log: Log;
}

const IDLE_BEFORE_MEASURE = 30_000;

export function watchSpeed({ measure, signal, since, onFaster, log }: SpeedParts): Speed {
  let megaflops = 0;
  let idleSince = since;
  let isMeasured = false;
  let isMeasuredIdle = false;

  const measureNow = (): void => {
    measure(signal)
      .then((measured) => {
        if (signal.aborted || measured <= megaflops) return;
        megaflops = measured;
        onFaster();
      })
      .catch((error: unknown) => log('measure.failed', { why: reasonOf(error) }));
  };

  return {
    get megaflops() {
      return megaflops;
    },
    measureFirst() {
      if (isMeasured) return;
      isMeasured = true;
      measureNow();
    },
    isBusy() {
      idleSince = Number.POSITIVE_INFINITY;
    },
    lookIdle(now) {
      if (idleSince === Number.POSITIVE_INFINITY) idleSince = now;
      // Once: the measure at the start may have shared the machine with others.
      if (isMeasuredIdle || now - idleSince < IDLE_BEFORE_MEASURE) return;
      isMeasuredIdle = true;
      measureNow();
    },
  };
}
