import type { Kysely } from 'kysely';
import { AuditNotes } from './audit/audit-notes.ts';
import { appendAudit } from './audit/append-audit.ts';
import type { Retry, SqlWords } from './sql-words.ts';
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

type Written = [results: unknown[], changedJobs: Set<string>];
interface Trace {
  /** Set from the last moment in which it is certain that nothing is committed. */
  committing: { readonly mark: string; readonly written: Written } | null;
}

/** About 2,000 rows: claims and receipts come in hundreds. */
const MAX_OPERATIONS = 500;
const MAX_ATTEMPTS = 20;
const PAUSE_MS = 10;

/**
 * Group commit: what one turn of the loop wants to write is one transaction, and nobody hears of it before the commit.
 * When an operation throws, all are rolled back and run one by one, so that only that one fails.
 *
 * Transactions are serializable: what they do is what one after the other would do, whoever else writes. The rules rest
 * on that and on unique keys and row locks; where two cannot both stand, the database takes one back and it runs again.
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
      // Without a database each of them fails alike.
      const failure = words.retry?.failureOf(cause) ?? 'refused';
      if (group.length === 1 || failure !== 'refused') {
        for (const waiting of group) waiting.reject(cause);
        return;
      }
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

  /** Runs them again when that is safe: what was committed, though its answer was lost, is not run again. */
  async function transact(operations: readonly WriteOperation<unknown>[]): Promise<Written> {
    for (let attempt = 1; ; attempt += 1) {
      const trace: Trace = { committing: null };
      try {
        return await transactOnce(operations, trace);
      } catch (cause) {
        const { retry } = words;
        const failure = retry?.failureOf(cause);
        if (!retry || (failure !== 'again' && failure !== 'cut')) throw cause;
        if (trace.committing && failure === 'cut') {
          const { mark, written } = trace.committing;
          if (await wasCommitted(retry, mark)) return written;
        }
        if (attempt === MAX_ATTEMPTS) throw tooOften(cause);
        await retry.wait(attempt * PAUSE_MS);
      }
    }
  }

  /** The connection that asks may be cut as well. */
  async function wasCommitted(retry: Retry, mark: string): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await retry.wasCommitted(db, mark);
      } catch (cause) {
        if (retry.failureOf(cause) !== 'cut' || attempt === MAX_ATTEMPTS) throw cause;
        await retry.wait(attempt * PAUSE_MS);
      }
    }
  }

  function transactOnce(operations: readonly WriteOperation<unknown>[], trace: Trace): Promise<Written> {
    const begun = db.transaction().setIsolationLevel('serializable');
    return begun.execute(async (transaction) => {
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
      const written: Written = [results, write.changedJobs];
      if (words.retry) trace.committing = { mark: await words.retry.mark(transaction), written };
      return written;
    });
  }
}

const tooOften = (cause: unknown) =>
  new StoreError(
    'store.unavailable',
    `This could not be written in ${MAX_ATTEMPTS} attempts, because others kept writing or the connection kept breaking. Ask again.`,
    { cause },
  );

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
