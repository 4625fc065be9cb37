import { envelopeCheck } from '@writ/contract';
import type { Envelope, Withdrawal } from '@writ/contract';
import { isWithdrawn, judgeWithdrawal, TrustError } from '@writ/trust';
import type { HeldSets } from '@writ/trust';
import type { Log } from '../log.ts';
import { readIfThere } from '../read-if-there.ts';
import { writePrivateFile } from '@writ/trust/node';

/** What may not start any more: kept until the orders could not start anyway. */
export interface Withdrawals {
  /** Durable when it resolves. A withdrawal that does not count is logged and forgotten. */
  take(envelope: Envelope): Promise<Withdrawal | undefined>;
  /** Whether the order's own submitter, or somebody with the grant, has withdrawn this task. */
  holds(order: string, index: number, submitter: string): boolean;
}

interface Kept {
  readonly envelope: Envelope;
  readonly withdrawal: Withdrawal;
  readonly until: number;
}

interface Held extends Kept {
  /** Resolves when it is on the disk. Undefined: it could not be written, and counts until this program ends. */
  written: Promise<void> | undefined;
}

const LONGEST_ORDER = 31 * 86_400_000;

export async function openWithdrawals(place: {
  readonly path: string;
  readonly sets: () => HeldSets;
  readonly now: () => number;
  /** A new one counts from here on. */
  readonly onKept: () => void;
  readonly log: Log;
}): Promise<Withdrawals> {
  const kept = new Map<string, Held[]>();
  const keep = (envelope: Envelope, withdrawal: Withdrawal, until: number): Held => {
    const list = kept.get(withdrawal.order) ?? [];
    const held: Held = { envelope, withdrawal, until, written: Promise.resolve() };
    list.push(held);
    kept.set(withdrawal.order, list);
    return held;
  };
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  await readKept();

  return {
    async take(envelope) {
      try {
        // The order may come later: whose it is counts when it does.
        const withdrawal = judgeWithdrawal(envelope, place.sets(), () => true);
        // A server sends what it keeps again on each new link.
        const same = JSON.stringify(withdrawal);
        const known = kept.get(withdrawal.order)?.find((one) => JSON.stringify(one.withdrawal) === same);
        const held = known ?? keep(envelope, withdrawal, place.now() + LONGEST_ORDER);
        if (!known) {
          held.written = undefined;
          place.onKept();
        }
        held.written ??= writeKept().catch((error: unknown) => {
          // When it comes again, it is written again.
          held.written = undefined;
          throw error;
        });
        await held.written;
        return withdrawal;
      } catch (error) {
        if (!(error instanceof TrustError)) throw error;
        place.log('withdrawal.refused', { code: error.code, why: error.message });
        return undefined;
      }
    },
    holds: (order, index, submitter) =>
      kept
        .get(order)
        ?.some(
          ({ withdrawal }) =>
            isWithdrawn(withdrawal, order, index) &&
            (withdrawal.by.person === submitter || mayWithdraw(withdrawal.by.person)),
        ) ?? false,
  };

  function mayWithdraw(person: string): boolean {
    return place.sets().current.persons.some(({ id, grants }) => id === person && grants.withdraw);
  }

  async function readKept(): Promise<void> {
    const text = await readIfThere(place.path);
    const list: unknown = text === undefined ? [] : JSON.parse(text);
    if (!Array.isArray(list)) return;
    for (const one of list as { envelope: unknown; withdrawal: Withdrawal; until: number }[]) {
      if (envelopeCheck.is(one.envelope) && one.until > place.now())
        keep(one.envelope, one.withdrawal, one.until);
    }
  }

  /** Those that come in one turn, or while others are being written, share a write. */
  function writeKept(): Promise<void> {
    next ??= running
      // Those who waited for that write heard of it.
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        const list: Kept[] = [...kept.values()].flat().map(({ envelope, withdrawal, until }) => ({
          envelope,
          withdrawal,
          until,
        }));
        running = writePrivateFile(place.path, JSON.stringify(list));
        return running;
      });
    return next;
  }
}
