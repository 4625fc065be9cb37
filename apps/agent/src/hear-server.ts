import { LINK_VERSION } from '@writ/contract';
import type { Envelope, FromServer } from '@writ/contract';
import { AgentError } from './agent-error.ts';
import type { Link } from './connect/link.ts';
import type { Credits } from './give-credits.ts';
import type { TaskHolding } from './hold-tasks.ts';
import type { KnownOrders } from './known-orders.ts';
import { plainTask } from './lease-book.ts';
import type { LeaseBook } from './lease-book.ts';
import { reasonOf } from './log.ts';
import type { Log } from './log.ts';
import type { ReceiptChain } from './receipts/receipt-chain.ts';
import { measureServerDelay } from './server-delay.ts';
import type { Withdrawals } from './signers/withdrawals.ts';

export interface HearingParts {
  readonly orders: Pick<KnownOrders, 'take'>;
  readonly leases: LeaseBook;
  readonly holding: TaskHolding;
  readonly credits: Credits;
  readonly receipts: Pick<ReceiptChain, 'accepted' | 'pendingCount'>;
  readonly withdrawals: Withdrawals;
  /** `since`: when the lease began, by the monotonic clock here. */
  readonly onLease: (message: Extract<FromServer, { is: 'lease' }>, since: number) => Promise<void>;
  readonly monotonic: () => number;
  readonly wait: (milliseconds: number) => Promise<void>;
  readonly onSetNamed: (set: Extract<FromServer, { is: 'set' }>['set']) => Promise<void>;
  readonly onFreshness: (envelope: Envelope) => Promise<void>;
  readonly log: Log;
}

/** What came behind a late lease is heard before the link ends: it may say what must not start. */
const CLOSING_MS = 200;
const LATE =
  'A lease was under way for longer than it lasts. A new link begins, with a new look at the clock of the server.';

/** Far more than an honest server leases: it keeps to the credits. */
const MOST_IN_HAND = 20_000;

/** What each word of the server sets going. None of it is believed: orders, sets and withdrawals carry their signatures. */
export function hearServer(parts: HearingParts): (link: Link, message: FromServer) => void {
  const { orders, leases, holding, credits, receipts, withdrawals, monotonic, log } = parts;
  const delay = measureServerDelay();
  /** No lease that comes on it counts any more. */
  let lateOn: Link | null = null;

  return (link, message) => {
    switch (message.is) {
      case 'welcome':
        if (message.link !== LINK_VERSION)
          throw new AgentError(
            'link.version',
            `The server speaks version ${message.link} of the link, this agent version ${LINK_VERSION}. Update the older one.`,
          );
        delay.restart();
        delay.of(message.at, monotonic());
        holding.leasesLast(message.leaseSeconds);
        return;
      case 'order':
        orders.take(message.digest, message.envelope);
        return;
      case 'lease': {
        const now = monotonic();
        const since = now - delay.of(message.at, now);
        // Somebody else may have these tasks; or the clock of the server stood still, and each lease to come would be too late.
        if (since + message.seconds * 1000 <= now && lateOn !== link) {
          lateOn = link;
          void parts.wait(CLOSING_MS).then(() => link.close(new AgentError('link.closed', LATE)));
        }
        if (lateOn === link) return;
        // Each task ends with a receipt that is kept until it is accepted: who leases on and accepts nothing fills this disk.
        if (leases.size + receipts.pendingCount >= MOST_IN_HAND)
          throw new AgentError(
            'link.closed',
            `${leases.size} tasks are here, the server has not accepted ${receipts.pendingCount} receipts, and it leases more. A new link begins, on which they are sent again.`,
          );
        credits.used(message.tasks.length);
        parts
          .onLease(message, since)
          .catch((error: unknown) => log('lease.failed_here', { job: message.job, why: reasonOf(error) }))
          .finally(credits.give);
        return;
      }
      case 'renewed':
        leases.renewed(message.tasks);
        for (const lost of message.lost) holding.stop(lost, 'lost', 'kill');
        return;
      case 'recall':
        void holding.handBack(message.tasks);
        return;
      case 'cancel':
        void holding.handBack(message.tasks);
        for (const task of message.tasks) holding.stop(task, 'cancelled', message.how);
        return;
      case 'withdraw':
        void withdrawals
          .take(message.envelope)
          .catch((error: unknown) => log('withdrawal.not_kept', { why: reasonOf(error) }));
        return;
      case 'accepted':
        receipts.accepted(
          message.upTo,
          message.refused.flatMap(({ seq, code }) => (code === 'lease.stale' ? [seq] : [])),
        );
        for (const { seq, code } of message.refused) log('receipt.refused', { seq, code });
        return;
      case 'set':
        void parts
          .onSetNamed(message.set)
          .catch((error: unknown) => log('signers.not_fetched', { why: reasonOf(error) }));
        return;
      case 'freshness':
        void parts
          .onFreshness(message.envelope)
          .catch((error: unknown) => log('signers.freshness_not_kept', { why: reasonOf(error) }));
        return;
      case 'drain':
        credits.stop();
        void holding.handBack([...leases.tasks].map(plainTask));
        return;
      case 'close':
        log('link.closed_by_server', { code: message.code, detail: message.detail });
        link.close(
          new AgentError('link.refused', `The server closed the link: ${message.code}, “${message.detail}”`),
        );
        return;
      case 'ping':
        delay.of(message.at, monotonic());
        link.send({ is: 'pong', n: message.n });
        return;
    }
  };
}
