import type { Transaction } from 'kysely';
import type { AuditNotes } from './audit/audit-notes.ts';
import type { SqlWords } from './sql-words.ts';
import type { Tables } from './tables.ts';

/** What a write operation gets. */
export interface Write {
  readonly db: Transaction<Tables>;
  readonly words: SqlWords;
  readonly audit: AuditNotes;
  /** Ids of the jobs that this transaction changes. */
  readonly changedJobs: Set<string>;
}
/** May run a second time after a roll-back: it keeps nothing outside the transaction. */
export type WriteOperation<T> = (write: Write) => Promise<T>;
