import type { EndReason, Envelope, RefusalCode, TaskState, Token } from '@writ/contract';
import type { By } from '../by.ts';
import type { CancelHow, Exit } from '../jobs/jobs.ts';

/** One task under one lease, in the words of the link. */
export interface LeaseRef {
  readonly job: string;
  readonly index: number;
  readonly attempt: number;
  readonly token: Token;
}
export interface OpenLease extends LeaseRef {
  readonly identity: string;
  readonly state: 'leased' | 'running';
  readonly until: number;
  readonly cancelAsked: CancelHow | null;
}
export interface ClaimAsked {
  readonly identity: string;
  readonly classes: readonly number[];
  /** At most 2000. */
  readonly max: number;
  readonly leaseSeconds: number;
  /** Ids of jobs that this agent is not to get. */
  readonly excluded?: readonly string[];
  readonly limits?: readonly QueueLimit[];
  /** What the agent has left, by dimension, and what a task of each class takes of each. */
  readonly capacity?: {
    readonly free: readonly number[];
    readonly needs: ReadonlyMap<number, readonly number[]>;
  };
  readonly by: By;
}
/** How many tasks of a queue may be leased at a time, and which classes are of it. */
export interface QueueLimit {
  readonly queue: string;
  readonly classes: readonly number[];
  readonly most: number;
}
export interface Claim {
  readonly jobs: readonly ClaimedJob[];
  /** Classes that their queue's limit keeps back. */
  readonly limited: readonly number[];
  /** Others that have work left: this agent has no room for it, or it came behind what was looked at. */
  readonly more: readonly number[];
}
export interface ClaimedJob {
  readonly job: string;
  readonly class: number;
  readonly priority: number;
  readonly order: string;
  readonly tasks: readonly { readonly index: number; readonly attempt: number; readonly token: Token }[];
}
export interface ReceiptOffered extends LeaseRef {
  readonly identity: string;
  readonly digest: string;
  readonly admission: string;
  readonly envelope: Envelope;
  /** Position in the agent's chain. */
  readonly seq: number;
  /** `adopted` receipts carry the outcome that they adopt; `lost` is the agent's own word that its lease was over. */
  readonly outcome: 'succeeded' | 'failed' | 'refused' | 'cancelled' | 'lost';
  readonly because: EndReason | RefusalCode;
  readonly exit: Exit | null;
  readonly started: number | null;
  readonly ended: number;
  /** Set when the caller found it bad: it is stored and marked, and changes no task. */
  readonly refusedBy?: string;
}
export interface ReceiptAnswer {
  readonly digest: string;
  readonly seq: number;
  /** `stale`: not this task's present lease. `refused`: by the caller. */
  readonly is: 'accepted' | 'stale' | 'refused';
  /** Seen before: the answer is the first one. */
  readonly isDuplicate: boolean;
  readonly code: string | null;
  /** What the task became; null unless this call accepted it. */
  readonly state: TaskState | null;
}
/** What a change of leases did. */
export interface Released {
  readonly tasks: readonly {
    readonly job: string;
    readonly index: number;
    readonly identity: string;
    readonly state: TaskState;
  }[];
  /** A batch is bounded: call again. */
  readonly isMore: boolean;
}

export interface LeaseStore {
  /** Oldest first within priority; of a job first what came back, then what was never leased. */
  claim(asked: ClaimAsked): Promise<Claim>;
  /** Leases that are not this agent's any more come back as `lost`. */
  markStarted(
    identity: string,
    tasks: readonly LeaseRef[],
    by: By,
  ): Promise<{ readonly lost: readonly LeaseRef[] }>;
  /** A lease that has ended cannot be renewed, even if nobody has taken it back yet. */
  renew(
    identity: string,
    tasks: readonly LeaseRef[],
    leaseSeconds: number,
    by: By,
  ): Promise<{
    readonly kept: readonly LeaseRef[];
    readonly lost: readonly LeaseRef[];
    readonly cancelAsked: readonly (LeaseRef & { readonly how: CancelHow })[];
  }>;
  /** Unstarted work, durably given up by its agent: no attempt is used up. A task that had started is not taken back. */
  handBack(identity: string, tasks: readonly LeaseRef[], by: By): Promise<Released>;
  /** Ends leases whose time is over, at most 2000. */
  lapse(by: By): Promise<Released>;
  /** Ends all leases of an agent that holds nothing but `except`: it restarted, or may not act any more. */
  loseAgent(identity: string, except: readonly LeaseRef[], by: By): Promise<Released>;
  /** At the start of the server: nobody could renew while it was away. */
  renewAll(leaseSeconds: number, by: By): Promise<number>;
  listOpen(identity: string): Promise<readonly OpenLease[]>;
  /** When the next lease ends; null without any. */
  nextLapse(): Promise<number | null>;

  /** At most 500. Answers stand in the order of the receipts. Refused ones are stored too. */
  accept(receipts: readonly ReceiptOffered[], by: By): Promise<readonly ReceiptAnswer[]>;

  /** Waiting tasks end at once; leased and running ones are marked, and end with their agent's word or their lease. */
  cancel(asked: {
    readonly job: string;
    /** Null: the whole job. */
    readonly indexes: readonly number[] | null;
    readonly how: CancelHow;
    readonly by: By;
  }): Promise<{ readonly ended: number; readonly toStop: readonly OpenLease[] } | null>;
  /** Ends waiting tasks whose order's not-after has passed, at most 500 jobs at a time. */
  expire(by: By): Promise<{ readonly jobs: readonly string[]; readonly isMore: boolean }>;
  /** When the next order expires that still has waiting tasks; null without any. */
  nextExpiry(): Promise<number | null>;
  /** Ends waiting tasks that nobody can start any more. */
  refuse(job: string, because: RefusalCode, by: By): Promise<number>;
}
