import type { FromAgent, LeasedTask } from '@writ/contract';
import type { Isolation } from './isolate/isolation.ts';
import { plainTask } from './lease-book.ts';
import type { HeldTask, LeaseBook } from './lease-book.ts';
import type { LeasedJob } from './leased-job.ts';
import { reasonOf } from './log.ts';
import type { Log } from './log.ts';
import { orderKeyOf } from './order-key.ts';
import type { ReceiptChain } from './receipts/receipt-chain.ts';
import { reportedTasks } from './receipts/reported-tasks.ts';
import type { Replay } from './replay/open-replay.ts';
import type { SlotQueue } from './slot-queue.ts';

/** What happens to tasks that are here: renewed in time, stopped, handed back. */
export interface TaskHolding {
  /** Unstarted work goes back, durably; what runs stays. */
  handBack(tasks: readonly LeasedTask[]): Promise<void>;
  /** The same for what has left the queue, or never came into it, and was not marked as started. */
  giveBack(jobs: readonly LeasedJob[]): Promise<void>;
  /** A running attempt is stopped; one that waits is forgotten. */
  stop(task: LeasedTask, why: 'cancelled' | 'lost', how: 'terminate' | 'kill'): void;
  /** The same for an attempt that may have left the book. */
  stopHeld(task: HeldTask, why: 'cancelled' | 'lost', how: 'terminate' | 'kill'): void;
  /** How long the leases of the server are to which there is a link now. */
  leasesLast(seconds: number): void;
  /** What is due by time alone: leases that end, renewals. */
  look(now: number): void;
}

export interface HoldingParts {
  readonly leases: LeaseBook;
  readonly queue: SlotQueue<LeasedJob>;
  readonly replay: Replay;
  readonly receipts: Pick<ReceiptChain, 'seq' | 'pending'>;
  readonly running: () => Iterable<LeasedJob>;
  readonly cancel: Isolation['cancel'];
  readonly isLinked: () => boolean;
  readonly send: (message: FromAgent) => void;
  readonly onFewer: () => void;
  readonly log: Log;
}

const MOST_IN_A_MESSAGE = 2000;
/** A lease that was last renewed a third of it ago is so renewed again before two thirds of it are over. */
const LOOKS_A_LEASE = 6;

export function holdTasks(parts: HoldingParts): TaskHolding {
  const { leases, queue, replay, receipts, log } = parts;
  let leaseMs = Number.POSITIVE_INFINITY;
  /** When receipts are looked at that have waited since the look before. */
  let nextLook = 0;
  let seqBefore = 0;

  const sameLease = (task: LeasedTask): HeldTask | undefined => {
    const mine = leases.find(task);
    return mine && mine.token.epoch === task.token.epoch && mine.token.n === task.token.n ? mine : undefined;
  };

  const stop: TaskHolding['stop'] = (task, why, how) => {
    const mine = sameLease(task);
    if (mine) stopHeld(mine, why, how);
  };

  const stopHeld: TaskHolding['stopHeld'] = (mine, why, how) => {
    for (const job of parts.running()) {
      if (job.task !== mine || !job.running) continue;
      // Once for each way: a run that is being killed is not killed again.
      if (job.stop !== undefined && (job.stopping === 'kill' || how === 'terminate')) continue;
      job.stop ??= why;
      job.stopping = how;
      parts.cancel(job.running, how);
    }
    if (why === 'lost') mine.isMine = false;
    if (mine.isRunning) return;
    queue.remove((job) => job.task === mine);
    leases.drop(mine);
    parts.onFewer();
  };

  const giveBack: TaskHolding['giveBack'] = async (jobs) => {
    const given = jobs.filter(({ task }) => task.isMine);
    for (const { task } of given) leases.drop(task);
    if (given.length === 0) return;
    try {
      await Promise.all(given.map(({ verified, task }) => replay.handBack(orderKeyOf(verified), [task])));
      parts.send({ is: 'returned', tasks: given.map(({ task }) => plainTask(task)) });
    } catch (error) {
      log('lease.not_returned', { why: reasonOf(error) });
    }
    parts.onFewer();
  };

  const renew = (tasks: readonly LeasedTask[]): void => {
    for (let from = 0; from < tasks.length; from += MOST_IN_A_MESSAGE)
      parts.send({ is: 'renew', tasks: tasks.slice(from, from + MOST_IN_A_MESSAGE).map(plainTask) });
  };

  /** A server that is slow to read results would else give each of them up before its turn comes, and be slower still. */
  const renewReported = (now: number): void => {
    if (now < nextLook) return;
    nextLook = now + leaseMs / LOOKS_A_LEASE;
    renew(reportedTasks(leases, receipts, seqBefore));
    seqBefore = receipts.seq;
  };

  return {
    stop,
    stopHeld,
    giveBack,
    async handBack(tasks) {
      const mine = new Set(tasks.map(sameLease).filter((task) => task !== undefined && !task.isRunning));
      await giveBack(queue.remove(({ task }) => mine.has(task)));
    },
    leasesLast(seconds) {
      leaseMs = seconds * 1000;
      nextLook = 0;
    },
    look(now) {
      for (const task of leases.over(now)) {
        if (task.isMine) log('lease.over', { task: `${task.job}.${task.index}`, attempt: task.attempt });
        stop(task, 'lost', 'kill');
      }
      if (!parts.isLinked()) return;
      const due = leases.dueForRenewal(now);
      leases.ask(due, now);
      renew(due);
      renewReported(now);
    },
  };
}
