import type { Order, WaitReason } from '@writ/contract';
import type { ClaimedJob, JobRecord, QueueRecord } from '@writ/store';
import type { MachineFacts } from '@writ/trust';

/** The far end of a link, as the dispatch sees it. */
export interface Taker {
  readonly identity: string;
  /** Leases that are durable: to be sent. `since`: when they began, by the monotonic clock. */
  take(jobs: readonly ClaimedJob[], since: number): void;
  /** Asks for unstarted work of these classes back. @returns for how many tasks it asked. */
  recall(classes: ReadonlySet<number>, most: number, only?: RecallOnly): number;
  /** It has not read what it was sent: no more until it has. */
  isFull(): boolean;
}

export interface RecallOnly {
  /** Of a lower priority. */
  readonly below?: number;
  /** Of other jobs than these. */
  readonly except?: ReadonlySet<string>;
}

/** A connected agent's place in the dispatch. */
export interface Seat {
  describe(facts: MachineFacts, slots: number, megaflops: number): void;
  /** The agent can take so many more. */
  giveCredits(more: number): void;
  /** A task that it holds already when it connects, by its class. */
  hold(classId: number | undefined): void;
  /** Tasks that are no longer its own, by their classes. */
  letGo(classIds: readonly (number | undefined)[]): void;
  /** It refused a task of this job for a reason about itself: not again, or not for so long. */
  exclude(job: string, milliseconds?: number): void;
  /** It let a lease lapse: it gets nothing until it is heard again. */
  fallSilent(): void;
  isHeard(): void;
  leave(): void;
}

/**
 * Matches waiting work with free agents. It asks the store for work by requirement class, and only for classes that
 * may have some: those that got work since a claim last came back short.
 */
export interface Dispatch {
  classOf(order: Order): Promise<number>;
  /** Known without asking the store? Then a submission and its dispatch fit in one transaction. */
  classOfOrder(order: Order): number | undefined;
  addWork(classId: number): void;
  /** Forgets classes that nobody has submitted for lately, and that no job needs any more. */
  forgetClasses(): Promise<void>;
  /** Work may have come back, or queues and agents have been set anew; which, the store knows. */
  lookAgain(): Promise<void>;
  /** Hands out what can be handed out. Call it in the turn in which something changed. */
  serve(): void;
  sit(taker: Taker): Seat;
  whyWaiting(job: Pick<JobRecord, 'class' | 'notBefore' | 'isHeld'>): WaitReason;
  /** As somebody has set it; undefined where nobody has. */
  queue(name: string): QueueRecord | undefined;
  /** Those of its classes that are known. */
  classesOf(queue: string): readonly number[];
  /** Is an agent connected whose admission names this queue, and not just all? */
  servesByName(queue: string): boolean;
  /** Work has come that is to start before what agents hold of a lower priority: they are asked for that, as far as it is in the way. */
  overtake(job: { readonly class: number; readonly priority: number; readonly tasks: number }): void;
  /** Asks agents for what they have not started of these classes. */
  callBack(fits: (identity: string, classId: number) => boolean): void;
  close(): void;
}
