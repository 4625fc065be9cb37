import { nextTick } from 'node:process';

/** How many tasks the server may send: enough to bridge the way to it, not so many that other agents starve. */
export interface Credits {
  /** For the first message of a link. */
  restart(): number;
  used(count: number): void;
  /** How long tasks take here now. */
  pace(wallMs: number): void;
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

/** How long it takes until other tasks are here in place of those that ended: two syncs, two messages, a commit. */
const WAY_MS = 300;
const FEWEST_A_SLOT = 2;
const MOST_A_SLOT = 32;

export function openCredits({ slots, held, mayGive, send }: CreditParts): Credits {
  let given = 0;
  let perSlot = FEWEST_A_SLOT;
  let isStopped = false;
  let isDue = false;
  const window = (): number => perSlot * slots;
  /** Each gift costs the server a transaction: a quarter of the window waits to go together, when the slots still have work. */
  const isWorthIt = (more: number): boolean => more >= window() / 4;

  return {
    restart() {
      isStopped = false;
      given = mayGive() ? Math.max(0, window() - held()) : 0;
      return given;
    },
    used(count) {
      given = Math.max(0, given - count);
    },
    pace(wallMs) {
      perSlot = Math.min(MOST_A_SLOT, Math.max(FEWEST_A_SLOT, Math.ceil(WAY_MS / Math.max(wallMs, 1))));
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
