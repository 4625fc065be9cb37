import type { Envelope, InputFile, SetRef } from '@writ/contract';
import type { SlotStarted } from './isolate/isolation.ts';
import type { HeldTask } from './lease-book.ts';
import type { VerifiedOrder } from './verify-job.ts';

/** A task that has passed every check and is recorded: it waits for a slot. */
export interface LeasedJob {
  readonly task: HeldTask;
  readonly verified: VerifiedOrder;
  readonly envelope: Envelope;
  readonly inputs: readonly InputFile[];
  /** The signer set held when it started. */
  set: SetRef | undefined;
  running: SlotStarted | undefined;
  /** Monotonic milliseconds. */
  startedAt: number;
  /** Why it was stopped from outside: a cancel, or a lease that is over. */
  stop: 'cancelled' | 'lost' | undefined;
  stopping: 'terminate' | 'kill' | undefined;
  /** Outputs that it named itself while it ran: each must be there at the end. */
  named: ReadonlySet<string>;
}
