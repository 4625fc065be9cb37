/** Hands what waits to the slots of this machine, in order. */
export interface SlotQueue<T> {
  add(job: T): void;
  /** Takes out what waits and fits. */
  remove(fits: (job: T) => boolean): T[];
  readonly waiting: number;
  /** Those that no slot has taken, in order. */
  readonly jobs: readonly T[];
}

export interface SlotRules<T> {
  readonly slots: number;
  /** How many runs a slot may have at once: more than one only where tasks are short. They run one after the other. */
  readonly depth: (job: T) => number;
  /** Jobs of one kind need the same, so one in a slot behind another takes over what that one has. */
  readonly kind: (job: T) => string;
  /** Takes what it needs. @returns what gives it back; null: not free now, so it and those behind it wait. */
  readonly reserve: (job: T) => (() => void) | null;
  /** Runs it; the slot is free again when it calls `free` or settles. */
  readonly run: (job: T, slot: number, free: () => void) => Promise<void>;
}

/** What runs in a slot. */
interface Slot {
  runs: number;
  kind: string;
  giveBack: () => void;
}

export function openSlotQueue<T>({ slots, depth, kind, reserve, run }: SlotRules<T>): SlotQueue<T> {
  let queue: T[] = [];
  let head = 0;
  const all: Slot[] = Array.from({ length: slots }, () => ({ runs: 0, kind: '', giveBack: () => {} }));

  /** The least busy one in which it may start now. */
  const take = (job: T): Slot | undefined => {
    const most = Math.min(...all.map((slot) => slot.runs));
    if (most >= depth(job)) return undefined;
    const free = all.find((slot) => slot.runs === 0);
    const giveBack = free && reserve(job);
    if (free && giveBack) return Object.assign(free, { kind: kind(job), giveBack });
    const behind = all.filter((slot) => slot.runs > 0 && slot.runs < depth(job) && slot.kind === kind(job));
    return behind.toSorted((one, other) => one.runs - other.runs)[0];
  };
  const pump = (): void => {
    while (head < queue.length) {
      const job = queue[head] as T;
      const slot = take(job);
      if (!slot) break;
      head += 1;
      start(job, slot);
    }
    if (head > 512 || head === queue.length) {
      queue = queue.slice(head);
      head = 0;
    }
  };
  const start = (job: T, slot: Slot): void => {
    let isFree = false;
    const free = (): void => {
      if (isFree) return;
      isFree = true;
      slot.runs -= 1;
      if (slot.runs === 0) slot.giveBack();
      pump();
    };
    slot.runs += 1;
    // `run` reports its own failures; a slot must be free again whatever happens.
    run(job, all.indexOf(slot), free).then(free, free);
  };

  return {
    get waiting() {
      return queue.length - head;
    },
    get jobs() {
      return queue.slice(head);
    },
    add(job) {
      queue.push(job);
      pump();
    },
    remove(fits) {
      const rest = queue.slice(head);
      const removed = rest.filter(fits);
      if (removed.length > 0) {
        queue = rest.filter((job) => !removed.includes(job));
        head = 0;
      }
      return removed;
    },
  };
}
