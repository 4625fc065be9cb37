/** Hands what waits to the slots of this machine, in order. */
export interface SlotQueue<T> {
  add(job: T): void;
  /** Takes out what waits and fits. */
  remove(fits: (job: T) => boolean): T[];
  readonly waiting: number;
}

export interface SlotRules<T> {
  readonly slots: number;
  /** How many runs a slot may have at once: more than one only where tasks are short. */
  readonly depth: (job: T) => number;
  /** Runs it; the slot is free again when it calls `free` or settles. */
  readonly run: (job: T, slot: number, free: () => void) => Promise<void>;
}

export function openSlotQueue<T>({ slots, depth, run }: SlotRules<T>): SlotQueue<T> {
  let queue: T[] = [];
  let head = 0;
  const busy = Array.from({ length: slots }, () => 0);

  const leastBusy = (): number => busy.indexOf(Math.min(...busy));
  const pump = (): void => {
    while (head < queue.length) {
      const job = queue[head] as T;
      const slot = leastBusy();
      const taken = busy[slot];
      if (taken === undefined || taken >= depth(job)) break;
      head += 1;
      start(job, slot);
    }
    if (head > 512 || head === queue.length) {
      queue = queue.slice(head);
      head = 0;
    }
  };
  const start = (job: T, slot: number): void => {
    let isFree = false;
    const free = (): void => {
      if (isFree) return;
      isFree = true;
      busy[slot] = (busy[slot] ?? 1) - 1;
      pump();
    };
    busy[slot] = (busy[slot] ?? 0) + 1;
    // `run` reports its own failures; a slot must be free again whatever happens.
    run(job, slot, free).then(free, free);
  };

  return {
    get waiting() {
      return queue.length - head;
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
