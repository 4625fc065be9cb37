import { PAYLOAD_TYPES, withdrawalCheck } from '@writ/contract';
import type { Envelope, Withdrawal } from '@writ/contract';
import { openEnvelope } from '../envelope/open.ts';
import { seal } from '../envelope/seal.ts';
import type { Sealed } from '../envelope/seal.ts';
import type { Signer } from '../keys.ts';
import { allKeys, findKey } from '../signer-set/find-key.ts';
import { keyFault } from '../signer-set/key-fault.ts';
import type { HeldSets } from '../signer-set/held-sets.ts';
import { TrustError } from '../trust-error.ts';

export function makeWithdrawal(
  wish: { cluster: string; order: string; indexes: number[] | null; person: string; now: number },
  signer: Signer,
): Sealed {
  const withdrawal: Withdrawal = {
    format: 1,
    cluster: wish.cluster,
    order: wish.order,
    indexes: wish.indexes,
    by: { person: wish.person, key: signer.key },
    time: wish.now,
  };
  return seal(PAYLOAD_TYPES.withdrawal, withdrawal, [signer]);
}

/**
 * By the order's own submitter, or by somebody with the grant `withdraw`: `isSubmitter` is what the caller knows of the order.
 * Codes: those of openEnvelope, `withdrawal.*`.
 */
export function judgeWithdrawal(
  envelope: Envelope,
  sets: HeldSets,
  isSubmitter: (order: string, person: string) => boolean,
): Withdrawal {
  const { value, signedBy, digest } = openEnvelope(envelope, {
    type: PAYLOAD_TYPES.withdrawal,
    check: withdrawalCheck,
    candidates: allKeys(sets.current),
  });
  if (value.cluster !== sets.cluster)
    throw new TrustError('withdrawal.cluster_other', 'this withdrawal is of another cluster');
  const found = findKey(sets.current, value.by.key);
  if (
    !found ||
    found.person.id !== value.by.person ||
    signedBy.length !== 1 ||
    signedBy[0] !== value.by.key ||
    found.entry.ended !== null
  ) {
    throw new TrustError(
      'withdrawal.signer_wrong',
      'this withdrawal is not signed by a key of the person that it names',
    );
  }
  const fault = keyFault(found, { at: value.time, digest });
  if (fault)
    throw new TrustError(
      'withdrawal.signer_wrong',
      `the key ${value.by.key} of ${found.person.name} ${fault.why}`,
    );
  if (!isSubmitter(value.order, value.by.person) && !found.person.grants.withdraw) {
    throw new TrustError(
      'withdrawal.not_granted',
      `${found.person.name} may not withdraw the orders of others`,
    );
  }
  return value;
}

export const isWithdrawn = (withdrawal: Withdrawal, order: string, index: number): boolean =>
  withdrawal.order === order && (withdrawal.indexes === null || withdrawal.indexes.includes(index));
