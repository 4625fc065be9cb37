import type { QueueRecord, Store } from '@writ/store';

/** What people have set, as the store had it at the last reading. */
export interface Settings {
  /** Undefined where nobody has set it. */
  queue(name: string): QueueRecord | undefined;
  /** The agent finishes what it has begun, and gets nothing new. */
  isDrained(identity: string): boolean;
  read(): Promise<void>;
}

export function openSettings(store: Store): Settings {
  let queues = new Map<string, QueueRecord>();
  let drained = new Set<string>();
  return {
    queue: (name) => queues.get(name),
    isDrained: (identity) => drained.has(identity),
    async read() {
      queues = new Map((await store.queues.listQueues()).map((queue) => [queue.name, queue]));
      drained = new Set(await store.trust.listDrained());
    },
  };
}
