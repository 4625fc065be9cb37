import { BOUNDS, orderCheck, PAYLOAD_TYPES } from '@writ/contract';
import type { Envelope, SetRef, SetsReply } from '@writ/contract';
import { readUnverified } from '@writ/trust';
import type { OpenedOrder } from '@writ/trust';
import { reasonOf } from './log.ts';
import type { Log } from './log.ts';
import type { HeldSigners } from './signers/held-signers.ts';

/** How this agent hears of newer signer sets, and of signs of life of those who may change them. */
export interface SignerFollowing {
  /** The server says which set is the newest that it has. */
  heardOf(set: SetRef): Promise<void>;
  heardFreshness(envelope: Envelope): Promise<void>;
  /** Before an order is judged: its signer may know a newer set than this machine. */
  catchUp(envelope: Envelope | undefined): Promise<void>;
  /** An order that counts says when it was signed. */
  heardOrder(opened: OpenedOrder): void;
}

export interface FollowingParts {
  readonly signers: HeldSigners;
  readonly fetchSets: (after: number) => Promise<SetsReply>;
  /** Time was at least that. */
  readonly witness: (time: number) => void;
  /** The sets may be newer ones now: what they end is ended here. */
  readonly onFollowed: () => void;
  /** Throws when this agent's own admission counts no longer. */
  readonly judgeOwn: () => void;
  readonly tellSet: (set: SetRef) => void;
  readonly log: Log;
}

export function followSigners(parts: FollowingParts): SignerFollowing {
  const { signers, witness, log } = parts;

  const fetchNewer = async (named: SetRef): Promise<void> => {
    const { version } = signers.ref;
    let answer = await parts.fetchSets(named.version > version ? version : 0);
    // One that follows another branch than this: all of it is needed to judge which.
    if ((await signers.follow(answer.sets)) === 'gap') {
      answer = await parts.fetchSets(0);
      await signers.follow(answer.sets);
    }
    // Nothing that fails may come before.
    parts.onFollowed();
    if (answer.freshness) await signers.takeFreshness(answer.freshness);
    witness(Math.max(signers.sets.newest.set.time, signers.newestWord));
    parts.judgeOwn();
    parts.tellSet(signers.ref);
  };

  return {
    async heardOf(set) {
      if (!signers.isKnown(set)) await fetchNewer(set);
    },
    async heardFreshness(envelope) {
      await signers.takeFreshness(envelope);
      witness(signers.newestWord);
    },
    async catchUp(envelope) {
      const named = envelope && setNamedBy(envelope);
      if (!named || signers.isKnown(named)) return;
      // Without them the order is refused by its own check.
      await fetchNewer(named).catch((error: unknown) => log('signers.not_fetched', { why: reasonOf(error) }));
    },
    heardOrder(opened) {
      signers.takeWord(opened);
      witness(Math.max(opened.order.issued, signers.newestWord));
    },
  };
}

function setNamedBy(order: Envelope): SetRef | undefined {
  try {
    return readUnverified(order, {
      type: PAYLOAD_TYPES.order,
      check: orderCheck,
      maxBytes: BOUNDS.orderBytes,
    }).set;
  } catch {
    return undefined; // its own check says why
  }
}
