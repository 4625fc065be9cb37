import { AsyncLocalStorage } from 'node:async_hooks';
import type { Dice } from './seeded-random.ts';
import type { VirtualDisk } from './virtual-disk.ts';

/** A machine: its clocks, its disk. Programs on it come and go. */
export interface Host {
  readonly name: string;
  readonly disk: VirtualDisk;
  /** Names this boot. */
  boot: number;
  /** Milliseconds that its wall clock is ahead. */
  ahead: number;
  /** How fast its clocks run. */
  readonly rate: number;
}

/** One run of a program. What it has set going ends with it. */
export interface Program {
  readonly name: string;
  readonly host: Host;
  isOver: boolean;
  pausedUntil: number;
  lastTurn: number;
  /** What the kernel does when it is gone: connections are closed. */
  readonly onOver: (() => void)[];
}

/** Thrown into what a program does after its end, and into the call during which it was killed. */
export class ProgramOver extends Error {
  override readonly name = 'ProgramOver';
}

export const running = new AsyncLocalStorage<Program>();

export function runningProgram(): Program {
  const program = running.getStore();
  if (!program) throw new TypeError('no simulated program is running');
  if (program.isOver) throw new ProgramOver(program.name);
  return program;
}

/** 2027-01-15, noon. */
export const BEGIN = Date.UTC(2027, 0, 15, 12);

export interface Timeline {
  /** Virtual milliseconds since the beginning. */
  readonly now: number;
  readonly dice: Dice;
  /** Calls `what` as this program, unless it is over by then. @returns what takes it back. */
  after(milliseconds: number, program: Program | null, what: () => void): () => void;
  wait(milliseconds: number, program: Program): Promise<void>;
  /** Something real that is under way: virtual time stands still until it has settled. */
  holdFor<T>(real: Promise<T>): Promise<T>;
  /** Until then, or until `isDone`. `onStep` is called after each event. */
  run(until: number, isDone: () => boolean, onStep: (program: Program | null) => void): Promise<void>;
  readonly steps: number;
}

interface Planned {
  at: number;
  readonly turn: number;
  readonly program: Program | null;
  readonly what: () => void;
  isOff: boolean;
}

const realImmediate = globalThis.setImmediate;
const realTurn = (): Promise<void> => new Promise((resolve) => realImmediate(resolve));

export function openTimeline(dice: Dice, onThrown: (error: unknown) => void): Timeline {
  const heap: Planned[] = [];
  let now = 0;
  let turns = 0;
  let steps = 0;
  let held = 0;

  const plan = (at: number, program: Program | null, what: () => void): Planned => {
    const planned = { at, turn: (turns += 1), program, what, isOff: false };
    push(heap, planned);
    return planned;
  };

  const timeline: Timeline = {
    get now() {
      return now;
    },
    get steps() {
      return steps;
    },
    dice,
    after(milliseconds, program, what) {
      const planned = plan(now + Math.max(0, milliseconds), program, what);
      return () => {
        planned.isOff = true;
      };
    },
    wait: (milliseconds, program) =>
      new Promise((resolve) => void timeline.after(milliseconds, program, resolve)),
    holdFor(real) {
      held += 1;
      return real.finally(() => {
        held -= 1;
      });
    },
    async run(until, isDone, onStep) {
      for (;;) {
        const planned = pop(heap);
        if (!planned) return;
        if (planned.at > until) {
          push(heap, planned);
          now = until;
          return;
        }
        const { program } = planned;
        if (planned.isOff || program?.isOver) continue;
        if (program && program.pausedUntil > planned.at) {
          planned.at = program.pausedUntil;
          push(heap, planned);
          continue;
        }
        now = Math.max(now, planned.at);
        steps += 1;
        try {
          if (program) running.run(program, planned.what);
          else planned.what();
        } catch (error) {
          if (!(error instanceof ProgramOver)) onThrown(error);
        }
        // All promises that this has settled; nothing else runs meanwhile.
        await realTurn();
        while (held > 0) await realTurn();
        onStep(program);
        if (isDone()) return;
      }
    },
  };
  return timeline;
}

/** Of the programs in it: a turn of the event loop takes a moment, and what a dead program had planned is not done. */
export function useVirtualTurns(timeline: Timeline): { giveBack(): void } {
  const pending = new Set<() => void>();
  const turn = (what: (...given: unknown[]) => void, ...given: unknown[]): unknown => {
    const program = running.getStore();
    if (!program) return realImmediate(what, ...given);
    const at = Math.max(program.lastTurn, timeline.now + timeline.dice.between(0, 2));
    program.lastTurn = at;
    const act = (): void => {
      pending.delete(act);
      what(...given);
    };
    pending.add(act);
    timeline.after(at - timeline.now, program, act);
    return undefined;
  };
  globalThis.setImmediate = turn as typeof setImmediate;
  return {
    /** What was still to be done is done now, so that whoever waits for it can be closed. */
    giveBack() {
      globalThis.setImmediate = realImmediate;
      for (const act of pending) act();
    },
  };
}

export const wallOf = (host: Host, timeline: Timeline): number =>
  Math.floor(BEGIN + timeline.now * host.rate + host.ahead);
export const monotonicOf = (host: Host, timeline: Timeline): number => 1_000 + timeline.now * host.rate;

function isBefore(one: Planned, other: Planned): boolean {
  return one.at < other.at || (one.at === other.at && one.turn < other.turn);
}

function push(heap: Planned[], planned: Planned): void {
  let at = heap.length;
  heap.push(planned);
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above];
    if (!parent || !isBefore(planned, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = planned;
}

function pop(heap: Planned[]): Planned | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (!top || !last || heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    let child = heap[below];
    if (!child) break;
    const right = heap[below + 1];
    if (right && isBefore(right, child)) {
      child = right;
      below += 1;
    }
    if (!isBefore(child, last)) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = last;
  return top;
}
