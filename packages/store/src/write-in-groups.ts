import type { Kysely } from 'kysely';
import { AuditNotes } from './audit/audit-notes.ts';
import { appendAudit } from './audit/append-audit.ts';
import type { SqlWords } from './sql-words.ts';
import { StoreError } from './store-error.ts';
import type { Tables } from './tables.ts';
import type { Write, WriteOperation } from './write.ts';

export interface GroupWriter {
  write<T>(operation: WriteOperation<T>): Promise<T>;
  /** Refuses new operations and waits for the queued ones. */
  finish(): Promise<void>;
}

interface Waiting {
  readonly operation: WriteOperation<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (cause: unknown) => void;
}

/** About 2,000 rows: claims and receipts come in hundreds. */
const MAX_OPERATIONS = 500;

/**
 * Group commit: what one turn of the loop wants to write is one transaction, and nobody hears of it before the commit.
 * When an operation throws, all are rolled back and run one by one, so that only that one fails.
 */
export function writeInGroups(
  db: Kysely<Tables>,
  words: SqlWords,
  onJobsChanged: (jobIds: readonly string[]) => void,
): GroupWriter {
  let queue: Waiting[] = [];
  let running: Promise<void> | undefined;
  let isFinished = false;

  return {
    write<T>(operation: WriteOperation<T>): Promise<T> {
      if (isFinished)
        return Promise.reject(
          new StoreError('store.closed', 'The store is closed: nothing can be written to it any more.'),
        );
      return new Promise<T>((resolve, reject) => {
        queue.push({ operation, resolve: resolve as (value: unknown) => void, reject });
        running ??= run();
      });
    },
    async finish() {
      isFinished = true;
      await running;
    },
  };

  async function run(): Promise<void> {
    while (queue.length > 0) {
      await nextTurn();
      const group = queue.slice(0, MAX_OPERATIONS);
      queue = queue.slice(MAX_OPERATIONS);
      await commit(group);
    }
    running = undefined;
  }

  async function commit(group: readonly Waiting[]): Promise<void> {
    let results: unknown[];
    let changedJobs: Set<string>;
    try {
      [results, changedJobs] = await transact(group.map((waiting) => waiting.operation));
    } catch (cause) {
      const [only] = group;
      if (only && group.length === 1) return only.reject(cause);
      for (const waiting of group) await commit([waiting]);
      return;
    }
    group.forEach((waiting, at) => waiting.resolve(results[at]));
    if (changedJobs.size > 0) tell([...changedJobs]);
  }

  /** A listener that throws fails loudly, and does not stop the writing. */
  function tell(jobIds: readonly string[]): void {
    try {
      onJobsChanged(jobIds);
    } catch (cause) {
      queueMicrotask(() => {
        throw cause;
      });
    }
  }

  function transact(operations: readonly WriteOperation<unknown>[]): Promise<[unknown[], Set<string>]> {
    return db.transaction().execute(async (transaction) => {
      const write: Write = {
        db: transaction,
        words,
        audit: new AuditNotes(),
        changedJobs: new Set(),
        jobs: new Map(),
        tasks: new Map(),
        change: null,
      };
      const results: unknown[] = [];
      for (const operation of operations) results.push(await operation(write));
      await appendAudit(write);
      return [results, write.changedJobs];
    });
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
