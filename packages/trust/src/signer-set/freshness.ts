import { BOUNDS, freshnessCheck, PAYLOAD_TYPES } from '@writ/contract';
import type { Envelope, Freshness } from '@writ/contract';
import { openEnvelope } from '../envelope/open.ts';
import { seal } from '../envelope/seal.ts';
import type { Sealed } from '../envelope/seal.ts';
import type { Signer } from '../keys.ts';
import { keyFault } from './key-fault.ts';
import { TrustError } from '../trust-error.ts';
import { allKeys, findKey } from './find-key.ts';
import { heldSetAt, setRef } from './held-sets.ts';
import type { HeldSets } from './held-sets.ts';

/** A changer's word that, as of now, this is the newest set. */
export function makeFreshness(sets: HeldSets, by: { person: string; signer: Signer }, now: number): Sealed {
  const mark: Freshness = {
    format: 1,
    cluster: sets.cluster,
    set: setRef(sets.newest),
    time: now,
    person: by.person,
    key: by.signer.key,
  };
  return seal(PAYLOAD_TYPES.freshness, mark, [by.signer]);
}

export function judgeFreshness(envelope: Envelope, sets: HeldSets): Freshness {
  const { value, signedBy } = openEnvelope(envelope, {
    type: PAYLOAD_TYPES.freshness,
    check: freshnessCheck,
    candidates: allKeys(sets.current),
  });
  if (value.cluster !== sets.cluster)
    throw new TrustError('set.cluster_other', 'this freshness mark is of another cluster');
  const until = findKey(sets.current, value.key)?.entry.until ?? null;
  if (
    signedBy.length !== 1 ||
    signedBy[0] !== value.key ||
    !isChangersWord(sets, value.person, value.key) ||
    (until !== null && value.time > until)
  ) {
    throw new TrustError(
      'set.mark_refused',
      'only a person who may change the signer set can say that it is fresh',
    );
  }
  heldSetAt(sets, value.set);
  return value;
}

/** Whether what this key signs counts as a sign of life of somebody who may change the set. */
export function isChangersWord(sets: HeldSets, person: string, key: string): boolean {
  const found = findKey(sets.current, key);
  return (
    found?.person.id === person &&
    found.entry.ended === null &&
    keyFault(found, { at: 0, digest: '' }) === undefined &&
    sets.current.changers.includes(person)
  );
}

/**
 * A set that says it was made in the future is no word either: it would stay fresh until long after that.
 * @param newestWord the newest time in a changer's signature that was not ahead of this machine's clock.
 */
export function isFresh(sets: HeldSets, newestWord: number, now: number): boolean {
  const { time, freshnessSeconds } = sets.newest.set;
  const isAhead = time > now + BOUNDS.clockToleranceSeconds * 1000;
  return now - Math.max(newestWord, isAhead ? 0 : time) <= freshnessSeconds * 1000;
}
