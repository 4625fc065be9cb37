import { type Envelope, type Order, orderCheck, PAYLOAD_TYPES } from '@writ/contract';
import { readUnverified } from '@writ/trust';
import type { Store } from '@writ/store';

export interface KnownOrder {
  readonly order: Order;
  readonly digest: string;
  readonly envelope: Envelope;
}

/** Orders that were judged when they were submitted, by job. The newest used ones are in memory. */
export interface Orders {
  keep(known: KnownOrder): void;
  /** False when another order has this job id: that one stays. */
  keepNew(known: KnownOrder): boolean;
  forget(job: string): void;
  /** Only what is in memory: for what must not wait. */
  recall(job: string): KnownOrder | undefined;
  find(job: string): Promise<KnownOrder | null>;
}

const MOST_BYTES = 32 * 1024 * 1024;

export function openOrders(store: Store): Orders {
  const kept = new Map<string, KnownOrder>();
  let bytes = 0;
  const weight = (known: KnownOrder): number => known.envelope.payload.length * 2 + 1024;

  const forget = (job: string): void => {
    const before = kept.get(job);
    if (!before) return;
    kept.delete(job);
    bytes -= weight(before);
  };
  const keep = (known: KnownOrder): void => {
    forget(known.order.job);
    kept.set(known.order.job, known);
    bytes += weight(known);
    for (const [job, oldest] of kept) {
      if (bytes <= MOST_BYTES) break;
      kept.delete(job);
      bytes -= weight(oldest);
    }
  };
  const recall = (job: string): KnownOrder | undefined => {
    const known = kept.get(job);
    if (known) {
      kept.delete(job);
      kept.set(job, known);
    }
    return known;
  };

  return {
    keep,
    keepNew(known) {
      const before = kept.get(known.order.job);
      if (before) return before.digest === known.digest;
      keep(known);
      return true;
    },
    forget,
    recall,
    async find(job) {
      const here = recall(job);
      if (here) return here;
      const stored = await store.jobs.readOrder(job);
      if (!stored) return null;
      const order = readUnverified(stored.envelope, { type: PAYLOAD_TYPES.order, check: orderCheck });
      const known = { order, digest: stored.digest, envelope: stored.envelope };
      keep(known);
      return known;
    },
  };
}
