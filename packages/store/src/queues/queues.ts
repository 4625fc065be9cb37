import type { By } from '../by.ts';

export interface QueueRecord {
  readonly name: string;
  /** Nothing is leased from it. */
  readonly isPaused: boolean;
  /** How many of its tasks may be leased at a time; null: as many as agents take. */
  readonly maxRunning: number | null;
  /** Of jobs that name none themselves. */
  readonly priority: number;
  /** Ids of the persons who may use it; null: everybody. */
  readonly people: readonly string[] | null;
  /** How long its jobs are kept after their end; null: as the server keeps all. */
  readonly keepSeconds: number | null;
}

export interface QueueStore {
  listQueues(): Promise<readonly QueueRecord[]>;
  setQueue(queue: QueueRecord, by: By): Promise<void>;
  removeQueue(name: string, by: By): Promise<boolean>;
  /** Jobs with waiting tasks, counted to 10,000, and leased tasks. */
  countTasks(
    name: string,
    classes: readonly number[],
  ): Promise<{ readonly waiting: number; readonly running: number }>;
}
