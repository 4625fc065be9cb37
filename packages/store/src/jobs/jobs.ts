import type {
  AttemptOutcome,
  EndReason,
  Envelope,
  RefusalCode,
  TaskCounts,
  TaskState,
  Token,
} from '@writ/contract';
import type { By } from '../by.ts';
import type { Page, PageAsked } from '../page.ts';

export interface NewJob {
  readonly id: string;
  /** Digest of the order. */
  readonly digest: string;
  readonly envelope: Envelope;
  readonly person: string;
  readonly project: string;
  readonly queue: string;
  /** Requirement class: canonical JSON made by the dispatch; see {@link JobStore.classId}. */
  readonly class: number;
  readonly priority: number;
  readonly firstIndex: number;
  readonly size: number;
  readonly maxAttempts: number;
  readonly retryOnFailure: boolean;
  readonly isOnce: boolean;
  readonly notBefore: number | null;
  readonly notAfter: number;
  /** Nothing of it is leased before it is released. */
  readonly isHeld: boolean;
  /** What runs, for lists. */
  readonly command: readonly string[];
  readonly submittedBy: string;
}
export interface JobRecord extends Omit<NewJob, 'envelope'> {
  /** Order of submission on this server. */
  readonly seq: number;
  readonly state: TaskState;
  readonly counts: TaskCounts;
  readonly submitted: number;
  readonly started: number | null;
  readonly ended: number | null;
  /** Rises with each change of the job or one of its tasks. */
  readonly change: number;
}
/** `same`: it was so already. */
export type Steered = 'done' | 'same' | 'ended' | 'unknown';
export interface TaskRecord {
  readonly job: string;
  readonly index: number;
  readonly state: TaskState;
  readonly because: EndReason | RefusalCode | null;
  /** Number of the present or last attempt; 0 before the first. */
  readonly attempt: number;
  readonly token: Token | null;
  readonly identity: string | null;
  readonly exit: Exit | null;
  readonly started: number | null;
  readonly ended: number | null;
  /** Digest of the accepted receipt of its last attempt. */
  readonly receipt: string | null;
  /** Its agent was, or is to be, told to stop it. */
  readonly cancelAsked: CancelHow | null;
  readonly change: number;
}
export type Exit = { readonly code: number } | { readonly signal: string };
export type CancelHow = 'terminate' | 'kill';
export interface AttemptRecord {
  readonly index: number;
  readonly attempt: number;
  readonly token: Token;
  readonly identity: string;
  /** Null while it is open. */
  readonly outcome: AttemptOutcome | null;
  readonly because: EndReason | RefusalCode | null;
  readonly ended: number | null;
  readonly receipt: string | null;
}
export interface ReceiptRecord {
  readonly digest: string;
  readonly job: string;
  readonly index: number;
  readonly attempt: number;
  readonly token: Token;
  readonly identity: string;
  readonly admission: string;
  readonly isAccepted: boolean;
  /** Why it was not accepted. */
  readonly code: string | null;
  readonly received: number;
  readonly envelope: Envelope;
}
export type SubmitAnswer =
  | { readonly is: 'added' | 'same'; readonly job: JobRecord }
  /** `removed`: the same order was here, and its time of keeping is over. `files_missing`: nothing was written. */
  | { readonly is: 'conflict' | 'removed' | 'files_missing' };
export interface JobsAsked extends PageAsked {
  readonly states?: readonly TaskState[];
  readonly queue?: string;
  readonly person?: string;
  readonly project?: string;
  /** First letters of the id. */
  readonly idPrefix?: string;
}

export interface NewWithdrawal {
  readonly digest: string;
  /** Digest of the order that it withdraws. */
  readonly order: string;
  /** The end of that order. */
  readonly until: number;
  readonly envelope: Envelope;
}

export interface JobStore {
  /** The id of a requirement class, made on first sight. */
  classId(canonicalJson: string): Promise<number>;
  listClasses(): Promise<readonly { readonly id: number; readonly class: string }[]>;
  /** Those of the classes that have work which may be claimed now. */
  classesWithWork(now: number): Promise<readonly number[]>;

  /** Same id and digest: the same answer. Costs the same for 1 and 1,000,000 tasks. `inputs`: files that it names. */
  submit(job: NewJob, by: By, inputs?: readonly string[]): Promise<SubmitAnswer>;
  /** Nothing of a job that is held is leased. */
  hold(job: string, isHeld: boolean, by: By): Promise<Steered>;
  setPriority(job: string, priority: number, by: By): Promise<Steered>;
  readJob(id: string): Promise<JobRecord | null>;
  readOrder(id: string): Promise<{ readonly digest: string; readonly envelope: Envelope } | null>;
  /** Newest first. */
  listJobs(asked: JobsAsked): Promise<Page<JobRecord>>;
  readTask(job: string, index: number): Promise<TaskRecord | null>;
  /** In order of index; tasks that were never leased included. With `states` only those. */
  listTasks(
    job: string,
    asked: PageAsked & { readonly states?: readonly TaskState[] },
  ): Promise<Page<TaskRecord>>;
  listAttempts(job: string, index: number): Promise<readonly AttemptRecord[]>;
  listReceipts(
    job: string,
    page: PageAsked & { readonly index?: number; readonly onlyAccepted?: boolean },
  ): Promise<Page<ReceiptRecord>>;
  readReceipt(job: string, index: number, digest: string): Promise<ReceiptRecord | null>;
  /** Tasks with a row that changed after that number, oldest change first: an event stream resumes here. A change number is never split, so there may be more than `limit`. */
  listChanges(job: string, afterChange: number, limit: number): Promise<readonly TaskRecord[]>;
  newestChange(): Promise<number>;

  /** Kept until the order could not start any more. */
  addWithdrawal(withdrawal: NewWithdrawal, by: By): Promise<'added' | 'same'>;
  /** Those that count now and were added since, oldest first, at most 10,000. */
  listWithdrawals(
    asked: PageAsked & { readonly now: number; readonly since: number },
  ): Promise<Page<Envelope>>;
  /** Jobs with waiting tasks of which this agent has refused one, and why, newest first, at most 1,000. */
  listRefused(
    identity: string,
  ): Promise<readonly { readonly job: string; readonly because: EndReason | RefusalCode }[]>;
}
