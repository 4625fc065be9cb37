import { BOUNDS, DEFAULTS, inviteCheck, PAYLOAD_TYPES } from '@writ/contract';
import type { Envelope, Invite, Label, SetRef } from '@writ/contract';
import { openEnvelope } from '../envelope/open.ts';
import { seal } from '../envelope/seal.ts';
import { inviteSigner } from '../keys.ts';
import type { FillRandom, Signer } from '../keys.ts';
import { findKey } from '../signer-set/find-key.ts';
import { allKeysEver, findKeyEver, heldSetAt, setRef } from '../signer-set/held-sets.ts';
import { keyFault } from '../signer-set/key-fault.ts';
import type { HeldSets } from '../signer-set/held-sets.ts';
import { TrustError } from '../trust-error.ts';
import { writeInvite } from './invite-text.ts';

export interface InviteWish {
  readonly role: Invite['role'];
  readonly name: string | null;
  readonly labels: readonly Label[];
  readonly queues: readonly string[];
  readonly seconds?: number;
  /** Where the joining machine finds the server: `host:port`. */
  readonly addresses: readonly string[];
}

export interface MadeInvite {
  /** For the joining machine only. It holds the seed: never send it to a server. */
  readonly text: string;
  /** For the server: the public half. */
  readonly envelope: Envelope;
  readonly digest: string;
  readonly until: number;
}

/** Made and signed by the inviter's own program, from the sets it holds itself. */
export function makeInvite(
  sets: HeldSets,
  by: { person: string; signer: Signer },
  wish: InviteWish,
  now: number,
  random: FillRandom,
): MadeInvite {
  const seed = new Uint8Array(16);
  random(seed);
  const until = now + (wish.seconds ?? DEFAULTS.inviteSeconds) * 1000;
  const invite: Invite = {
    format: 1,
    cluster: sets.cluster,
    inviteKey: inviteSigner(seed).key,
    role: wish.role,
    name: wish.name,
    labels: [...wish.labels].sort((a, b) => (a.name < b.name ? -1 : 1)),
    queues: [...wish.queues],
    until,
    set: setRef(sets.newest),
    by: { person: by.person, key: by.signer.key },
    issued: now,
  };
  const { envelope, digest } = seal(PAYLOAD_TYPES.invite, invite, [by.signer]);
  return {
    text: writeInvite({ set: sets.newest.digest, seed, addresses: wish.addresses }),
    envelope,
    digest,
    until,
  };
}

export interface JudgedInvite {
  readonly invite: Invite;
  readonly digest: string;
}

/**
 * Is this the word of a signer who may admit? Says nothing about whether it is still in time: see {@link checkInviteTime}.
 * Codes: those of {@link openEnvelope}, `invite.*`.
 */
export function judgeInvite(envelope: Envelope, sets: HeldSets): JudgedInvite {
  const {
    value: invite,
    digest,
    signedBy,
  } = openEnvelope(envelope, {
    type: PAYLOAD_TYPES.invite,
    check: inviteCheck,
    candidates: allKeysEver(sets),
  });
  if (invite.cluster !== sets.cluster)
    throw new TrustError('invite.cluster_other', 'this invite is to another cluster');
  if (signedBy.length !== 1 || signedBy[0] !== invite.by.key)
    throw new TrustError('invite.signer_wrong', 'this invite is not signed by the key that it names');
  checkAdmitter(sets, invite.by, { digest, at: invite.issued, set: invite.set }, 'invite');
  checkLabels(invite.labels, 'invite');
  if (invite.until - invite.issued > DEFAULTS.inviteSeconds * 1000)
    throw new TrustError(
      'invite.too_long',
      `an invite holds for ${DEFAULTS.inviteSeconds / 60} minutes at most`,
    );
  if (sets.current.invitesRevoked.includes(digest))
    throw new TrustError('invite.revoked', 'this invite has been revoked');
  return { invite, digest };
}

/** An honest server's and a joining machine's check: an invite is for now. */
export function checkInviteTime(invite: Invite, now: number): void {
  if (now > invite.until)
    throw new TrustError('invite.expired', 'this invite has expired: ask for a new one (writ invite)');
  if (now < invite.issued - BOUNDS.clockToleranceSeconds * 1000)
    throw new TrustError(
      'invite.expired',
      'this invite is from the future: is the clock of this machine right?',
    );
}

/** Sorted by name and each name once: of two values nobody could say which one holds. */
export function checkLabels(labels: readonly Label[], what: 'invite' | 'admission'): void {
  const twice = labels.find(({ name }, at) => at > 0 && name <= labels[at - 1]!.name);
  if (twice)
    throw new TrustError(`${what}.labels`, `the label ${twice.name} stands twice or out of its order`);
}

/** Somebody with the grant `admit`, by a key on their own device that counted when it signed and is not compromised. */
export function checkAdmitter(
  sets: HeldSets,
  by: { person: string; key: string },
  signed: { digest: string; at: number; set: SetRef },
  what: 'invite' | 'admission',
): void {
  const found = findKeyEver(sets, by.key);
  if (!found || found.person.id !== by.person)
    throw new TrustError(`${what}.signer_unknown`, `${by.key} is not a key of the person named`);
  const { person, entry } = found;
  const fault = keyFault(found, signed);
  if (fault) throw new TrustError(`${what}.${fault.is}`, `the key ${by.key} of ${person.name} ${fault.why}`);
  const then = findKey(heldSetAt(sets, signed.set).set, by.key);
  if (entry.ended?.is === 'retired' && then?.entry.ended !== null)
    throw new TrustError(
      `${what}.key_retired`,
      `the key ${by.key} of ${person.name} was retired in the signer set that this names`,
    );
  // What was granted when it was signed holds: who loses the grant later has not lost the agents admitted before.
  const known = sets.chain.filter(
    (held) =>
      held.set.version === signed.set.version ||
      (held.set.version > signed.set.version && held.set.time <= signed.at),
  );
  if (!known.every((held) => findKey(held.set, by.key)?.person.grants.admit))
    throw new TrustError(`${what}.not_granted`, `${person.name} might not admit machines or people then`);
}
