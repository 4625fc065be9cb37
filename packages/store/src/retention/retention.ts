import type { By } from '../by.ts';
import type { FileRecord } from '../files/files.ts';
import type { PageAsked } from '../page.ts';

export interface DueAsked {
  readonly now: number;
  /** Of queues that say nothing. */
  readonly keepSeconds: number;
  /** Of every queue, whatever it says. */
  readonly olderThanSeconds: number | null;
}
export interface DueJobs {
  readonly jobs: readonly string[];
  readonly tasks: number;
  readonly receipts: number;
  readonly next: string | null;
}
export interface RemovedJobs {
  readonly jobs: readonly { readonly id: string; readonly tasks: number }[];
  readonly isMore: boolean;
}
export interface Swept {
  /** What they have outside the database may go; then they are finished. */
  readonly jobs: readonly string[];
  readonly receipts: number;
  /** No row is left of these. */
  readonly isDone: boolean;
}
export interface UnusedAsked extends PageAsked {
  readonly unusedSince: number;
}
export interface RemovedFiles {
  readonly files: readonly FileRecord[];
  readonly next: string | null;
}
export interface ForgetAsked {
  readonly withdrawnBefore: number;
  readonly receivedBefore: number;
  readonly limit: number;
}

/** Each call is one bounded transaction: whoever calls goes on while there is more. */
export interface RetentionStore {
  countDue(asked: DueAsked & PageAsked): Promise<DueJobs>;
  /** Files that no job would name if those that are due were gone. A page may be empty and have a next one. */
  listUnused(asked: UnusedAsked & DueAsked): Promise<RemovedFiles>;
  /** A removed job is in no list any more, and its id stays taken until its order can certainly not start. */
  removeJobs(asked: DueAsked & { readonly limit: number }, by: By): Promise<RemovedJobs>;
  /** At most `limit` rows of each table that removed jobs left. */
  sweepRemoved(limit: number): Promise<Swept>;
  finishRemoved(jobs: readonly string[]): Promise<void>;
  /** Whether there was a job of this id: known as long as its id stays taken. */
  wasRemoved(job: string): Promise<boolean>;
  /** Those that no job names. Their bytes are the caller's. */
  removeFiles(asked: UnusedAsked, by: By): Promise<RemovedFiles>;
  forgetOrders(asked: ForgetAsked, by: By): Promise<{ readonly isMore: boolean }>;
  /** @returns those that are gone: no job needs them any more. Whoever submits must not use one of these meanwhile. */
  forgetClasses(ids: readonly number[]): Promise<readonly number[]>;
}
