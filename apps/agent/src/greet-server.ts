import { LINK_VERSION } from '@writ/contract';
import type { Envelope, FromAgent, SetRef } from '@writ/contract';
import { WRIT } from './describe.ts';
import { plainTask } from './lease-book.ts';
import type { LeaseBook } from './lease-book.ts';
import type { ReceiptChain } from './receipts/receipt-chain.ts';
import { reportedTasks } from './receipts/reported-tasks.ts';

const MOST_HELD = 8_192;

/** The first word on a link: what this agent is, and what it still has of that server's. */
export function greetServer(given: {
  readonly description: Envelope;
  readonly set: SetRef;
  readonly credits: number;
  readonly leases: Pick<LeaseBook, 'tasks' | 'find'>;
  readonly receipts: Pick<ReceiptChain, 'seq' | 'pending'>;
}): Extract<FromAgent, { is: 'hello' }> {
  const { description, set, credits, leases, receipts } = given;
  return {
    is: 'hello',
    link: LINK_VERSION,
    writ: WRIT,
    description,
    set,
    seq: receipts.seq,
    credits,
    held: Array.from(leases.tasks, (task) => ({
      ...plainTask(task),
      is: task.isRunning ? ('running' as const) : ('leased' as const),
    }))
      .concat(reportedTasks(leases, receipts).map((task) => ({ ...task, is: 'running' as const })))
      .slice(0, MOST_HELD),
  };
}
