import type { Envelope } from '@writ/contract';
import { AgentError } from './agent-error.ts';
import type { VerifiedOrder } from './verify-job.ts';

/** Orders by digest: as they came on this link, and what those came to that were verified. */
export interface KnownOrders {
  /** @throws AgentError `link.closed` when this link has brought too many. */
  take(digest: string, envelope: Envelope): void;
  find(digest: string): Envelope | undefined;
  /** A new link brings its own. */
  forgetTaken(): void;
  findVerified(digest: string): VerifiedOrder | undefined;
  /** @returns false where just this is kept already. */
  keepVerified(verified: VerifiedOrder): boolean;
}

const MOST_ORDERS = 10_000;

export function openKnownOrders(): KnownOrders {
  const taken = new Map<string, Envelope>();
  const verified = new Map<string, VerifiedOrder>();
  return {
    take(digest, envelope) {
      if (taken.size >= MOST_ORDERS)
        throw new AgentError('link.closed', 'This link has carried its share of orders; a new one begins.');
      taken.set(digest, envelope);
    },
    find: (digest) => taken.get(digest),
    forgetTaken: () => taken.clear(),
    findVerified: (digest) => verified.get(digest),
    keepVerified(found) {
      if (verified.get(found.digest) === found) return false;
      if (verified.size >= MOST_ORDERS) verified.clear();
      verified.set(found.digest, found);
      return true;
    },
  };
}
