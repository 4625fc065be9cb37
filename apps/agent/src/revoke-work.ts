import { findKeyEver } from '@writ/trust';
import type { HeldSets } from '@writ/trust';
import type { TaskHolding } from './hold-tasks.ts';
import type { LeasedJob } from './leased-job.ts';
import type { LiveJobs } from './live-job.ts';
import type { Withdrawals } from './signers/withdrawals.ts';

/** Work that is here and may not go on, by the word of a signer: its order was withdrawn, or its key is compromised. */
export interface RevokedWork {
  isWithdrawn(job: LeasedJob): boolean;
  /** What the launcher has taken starts by itself when the run before it ends: no other look comes before that. */
  endWithdrawn(): void;
  /** Whoever declared a key compromised said whether what runs under it may finish. */
  endCompromised(): void;
}

export function revokeWorkWith(parts: {
  readonly live: LiveJobs;
  readonly holding: TaskHolding;
  readonly withdrawals: Withdrawals;
  readonly sets: () => HeldSets;
}): RevokedWork {
  const { live, holding, withdrawals, sets } = parts;

  const isWithdrawn = ({ task, verified }: LeasedJob): boolean =>
    withdrawals.holds(verified.digest, task.index, verified.order.person);

  const isCompromised = ({ verified }: LeasedJob): boolean => {
    const ended = findKeyEver(sets(), verified.order.key)?.entry.ended;
    return ended?.is === 'compromised' && ended.running === 'stop';
  };

  return {
    isWithdrawn,
    endWithdrawn() {
      for (const job of live.notBegun)
        if (isWithdrawn(job)) holding.stopHeld(job.task, 'cancelled', 'terminate');
    },
    endCompromised() {
      for (const job of Array.from(live.jobs))
        if (isCompromised(job)) holding.stop(job.task, 'cancelled', 'kill');
    },
  };
}
