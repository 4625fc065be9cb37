import { admissionCheck, PAYLOAD_TYPES } from '@writ/contract';
import type { Admission, Envelope, Label } from '@writ/contract';
import { openEnvelope } from '../envelope/open.ts';
import { seal } from '../envelope/seal.ts';
import type { Sealed } from '../envelope/seal.ts';
import { isStrongEd25519 } from '../keys.ts';
import type { Signer } from '../keys.ts';
import { allKeysEver, findRemoval } from '../signer-set/held-sets.ts';
import type { HeldSets } from '../signer-set/held-sets.ts';
import { TrustError } from '../trust-error.ts';
import { checkAdmitter, checkLabels, judgeInvite } from './invite.ts';

/** What a valid admission says about an agent: the only source for its name, labels and queues. */
export interface Admitted {
  readonly identity: string;
  readonly name: string;
  readonly labels: readonly Label[];
  readonly queues: readonly string[];
  readonly how: 'invite' | 'by_hand' | 'by_network';
  /** The key of the person who let it in. */
  readonly admitter: string;
  readonly digest: string;
  readonly invite: string | null;
  readonly supersedes: string | null;
  readonly time: number;
  readonly machine: Admission['machine'];
}

/** @param admitter the invite's key, or the key of a signer with the grant `admit` */
export const makeAdmission = (admission: Admission, admitter: Signer, identity: Signer): Sealed =>
  seal(PAYLOAD_TYPES.admission, admission, [admitter, identity]);

/** One half of an admission by hand: two programs sign the same payload one after the other. */
export function addSignature(half: Sealed, other: Sealed): Envelope {
  if (half.digest !== other.digest)
    throw new TrustError('admission.halves_differ', 'the two signatures are over different admissions');
  return { ...half.envelope, signatures: [...half.envelope.signatures, ...other.envelope.signatures] };
}

/** Codes: those of openEnvelope, `admission.*`, and those of {@link judgeInvite}. */
export function judgeAdmission(envelope: Envelope, invite: Envelope | null, sets: HeldSets): Admitted {
  const judged = invite && judgeInvite(invite, sets);
  const {
    value: admission,
    digest,
    signedBy,
  } = openEnvelope(envelope, {
    type: PAYLOAD_TYPES.admission,
    check: admissionCheck,
    candidates: judged ? [judged.invite.inviteKey] : allKeysEver(sets),
    mayNameItself: true,
  });
  const { how, identity } = admission;
  if (admission.role !== 'agent')
    throw new TrustError('admission.role_wrong', `this admits a ${admission.role}, not an agent`);
  if (admission.cluster !== sets.cluster)
    throw new TrustError('admission.cluster_other', 'this admission is to another cluster');
  if (!isStrongEd25519(identity))
    throw new TrustError('admission.key_weak', 'the identity key is one under which anybody can sign');
  const admitter = how.is === 'invite' ? how.inviteKey : how.by.key;
  const isSignedByBoth =
    signedBy.length === 2 &&
    signedBy.includes(admitter) &&
    signedBy.includes(identity) &&
    admitter !== identity;
  if (!isSignedByBoth)
    throw new TrustError(
      'admission.signatures_wrong',
      'an admission is signed by the identity key and by whoever admits, and by nobody else',
    );
  if (findRemoval(sets, identity)?.is === 'compromised') {
    throw new TrustError(
      'admission.removed',
      `the agent ${admission.name} was removed from this cluster as compromised`,
    );
  }
  const common = {
    identity,
    name: admission.name,
    digest,
    supersedes: admission.supersedes,
    time: admission.time,
    machine: admission.machine,
  };
  if (how.is !== 'invite') {
    if (judged)
      throw new TrustError('admission.invite_other', 'this admission rests on no invite, and here is one');
    checkAdmitter(sets, how.by, { digest, at: admission.time, set: how.set }, 'admission');
    checkLabels(how.labels, 'admission');
    return {
      ...common,
      labels: how.labels,
      queues: how.queues,
      how: how.is,
      admitter: how.by.key,
      invite: null,
    };
  }
  if (!judged)
    throw new TrustError('admission.invite_missing', 'this admission rests on an invite that is not here');
  if (how.invite !== judged.digest || how.inviteKey !== judged.invite.inviteKey)
    throw new TrustError('admission.invite_other', 'this admission rests on another invite');
  if (judged.invite.role !== admission.role)
    throw new TrustError(
      'admission.role_wrong',
      `this invite is for a ${judged.invite.role}, not for an ${admission.role}`,
    );
  if (judged.invite.name !== null && judged.invite.name !== admission.name)
    throw new TrustError(
      'admission.name_wrong',
      `this invite is for “${judged.invite.name}”, not for “${admission.name}”`,
    );
  // The joining machine writes this field: on its word alone anybody who was invited could take over a name.
  if (admission.supersedes !== null && judged.invite.name === null)
    throw new TrustError(
      'admission.supersedes_not_granted',
      `only an invite for “${admission.name}” by name lets another machine take that name`,
    );
  return {
    ...common,
    labels: judged.invite.labels,
    queues: judged.invite.queues,
    how: 'invite',
    admitter: judged.invite.by.key,
    invite: judged.digest,
  };
}
