import { isIndexOf } from '@writ/contract';
import type { Order } from '@writ/contract';
import { refuse } from './open-order.ts';

/** What an agent remembers of (cluster, person, job, index). */
export interface StartRecord {
  readonly order: string;
  readonly highestAttempt: number;
  readonly last: 'running' | 'succeeded' | 'ended';
}

/** Check 11: starts rise, end at the maximum, and never follow a success. `adopt`: it succeeded here before. */
export function judgeReplay(
  order: Order,
  digest: string,
  index: number,
  attempt: number,
  before: StartRecord | undefined,
): 'start' | 'adopt' {
  if (!isIndexOf(order.array, index))
    throw refuse('order.index_out_of_range', `the order has no task ${index}`);
  if (!Number.isSafeInteger(attempt) || attempt < 1 || attempt > order.maxAttempts) {
    throw refuse('replay.attempt_out_of_range', `attempt ${attempt} of at most ${order.maxAttempts}`);
  }
  if (before === undefined) return 'start';
  if (before.order !== digest)
    throw refuse('replay.other_order', 'this job id was used here for another order of the same person');
  if (before.last === 'running')
    throw refuse('replay.running', `attempt ${before.highestAttempt} is still running here`);
  if (before.last === 'succeeded') return 'adopt';
  if (attempt <= before.highestAttempt)
    throw refuse('replay.attempt_used', `attempt ${attempt} has been started here before`);
  return 'start';
}
