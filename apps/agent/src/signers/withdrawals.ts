import { envelopeCheck } from '@writ/contract';
import type { Envelope, Withdrawal } from '@writ/contract';
import { isWithdrawn, judgeWithdrawal, TrustError } from '@writ/trust';
import type { HeldSets } from '@writ/trust';
import type { Log } from '../log.ts';
import { readIfThere, writePrivateFile } from '../private-file.ts';

/** What may not start any more: kept until the orders could not start anyway. */
export interface Withdrawals {
  /** Durable when it resolves. A withdrawal that does not count is logged and forgotten. */
  take(envelope: Envelope): Promise<Withdrawal | undefined>;
  holds(order: string, index: number): boolean;
}

interface Kept {
  readonly envelope: Envelope;
  readonly withdrawal: Withdrawal;
  readonly until: number;
}

const LONGEST_ORDER = 31 * 86_400_000;

export async function openWithdrawals(place: {
  readonly path: string;
  readonly sets: () => HeldSets;
  readonly isSubmitter: (order: string, person: string) => boolean;
  readonly now: () => number;
  readonly log: Log;
}): Promise<Withdrawals> {
  const kept = new Map<string, Kept[]>();
  const keep = (envelope: Envelope, withdrawal: Withdrawal, until: number): void => {
    const list = kept.get(withdrawal.order) ?? [];
    list.push({ envelope, withdrawal, until });
    kept.set(withdrawal.order, list);
  };
  await readKept();

  return {
    async take(envelope) {
      try {
        const withdrawal = judgeWithdrawal(envelope, place.sets(), place.isSubmitter);
        keep(envelope, withdrawal, place.now() + LONGEST_ORDER);
        await writeKept();
        return withdrawal;
      } catch (error) {
        if (!(error instanceof TrustError)) throw error;
        place.log('withdrawal.refused', { code: error.code, why: error.message });
        return undefined;
      }
    },
    holds: (order, index) =>
      kept.get(order)?.some(({ withdrawal }) => isWithdrawn(withdrawal, order, index)) ?? false,
  };

  async function readKept(): Promise<void> {
    const text = await readIfThere(place.path);
    const list: unknown = text === undefined ? [] : JSON.parse(text);
    if (!Array.isArray(list)) return;
    for (const one of list as { envelope: unknown; withdrawal: Withdrawal; until: number }[]) {
      if (envelopeCheck.is(one.envelope) && one.until > place.now())
        keep(one.envelope, one.withdrawal, one.until);
    }
  }

  async function writeKept(): Promise<void> {
    await writePrivateFile(place.path, JSON.stringify([...kept.values()].flat()));
  }
}
