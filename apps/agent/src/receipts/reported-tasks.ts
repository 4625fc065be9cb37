import type { LeasedTask } from '@writ/contract';
import { taskKey } from '../lease-book.ts';
import type { LeaseBook } from '../lease-book.ts';
import type { ReceiptChain } from './receipt-chain.ts';

/**
 * Ended here, and the server has not accepted it yet: until then their leases must last, or their results come too late.
 *
 * @param upTo number of the last receipt that is looked at.
 */
export function reportedTasks(
  leases: Pick<LeaseBook, 'find'>,
  receipts: Pick<ReceiptChain, 'pending'>,
  upTo = Number.POSITIVE_INFINITY,
): LeasedTask[] {
  const newest = new Map<string, LeasedTask>();
  for (const { seq, task } of receipts.pending) if (seq <= upTo) newest.set(taskKey(task), task);
  return [...newest.values()].filter((task) => !leases.find(task));
}
