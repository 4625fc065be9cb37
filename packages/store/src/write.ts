import type { Transaction } from 'kysely';
import type { AuditNotes } from './audit/audit-notes.ts';
import type { SqlWords } from './sql-words.ts';
import type { JobTable, Tables, TaskTable } from './tables.ts';

/** What a write operation gets. */
export interface Write {
  readonly db: Transaction<Tables>;
  readonly words: SqlWords;
  readonly audit: AuditNotes;
  /** Ids of the jobs that this transaction changes. */
  readonly changedJobs: Set<string>;
  /** Rows as they stand in this transaction, once it has read or written them: nobody else changes them meanwhile. */
  readonly jobs: Map<number, JobTable>;
  readonly tasks: Map<string, TaskTable>;
  /** All that this transaction changes has one change number: null until something does. */
  change: number | null;
}
/** May run a second time after a roll-back: it keeps nothing outside the transaction. */
export type WriteOperation<T> = (write: Write) => Promise<T>;
