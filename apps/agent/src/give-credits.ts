import { nextTick } from 'node:process';

/** How many tasks the server may send: enough to bridge the way to it, not so many that other agents starve. */
export interface Credits {
  /** For the first message of a link. */
  restart(): number;
  used(count: number): void;
  /** The last task was a short one, or not. */
  pace(isQuick: boolean): void;
  /** Gives what is free, once for all that ended together, and in the same packet as their receipts. */
  give(): void;
  stop(): void;
}

export interface CreditParts {
  readonly slots: number;
  /** How many tasks are here. */
  readonly held: () => number;
  readonly mayGive: () => boolean;
  readonly send: (more: number) => void;
}

export function openCredits({ slots, held, mayGive, send }: CreditParts): Credits {
  let given = 0;
  let isQuick = false;
  let isStopped = false;
  let isDue = false;
  const window = (): number => (isQuick ? Math.max(32, slots * 8) : Math.max(2, slots * 2));
  /** Each gift costs the server a transaction: while there is enough to do, a quarter of the window waits to go together. */
  const isWorthIt = (more: number): boolean => more >= window() / 4 || held() + given <= slots;

  return {
    restart() {
      isStopped = false;
      given = mayGive() ? Math.max(0, window() - held()) : 0;
      return given;
    },
    used(count) {
      given = Math.max(0, given - count);
    },
    pace(quick) {
      isQuick = quick;
    },
    give() {
      if (isDue) return;
      isDue = true;
      nextTick(() => {
        isDue = false;
        const more = window() - held() - given;
        if (isStopped || more < 1 || !isWorthIt(more) || !mayGive()) return;
        given += more;
        send(more);
      });
    },
    stop() {
      isStopped = true;
    },
  };
}
