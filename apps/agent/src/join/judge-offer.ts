import type { TLSSocket } from 'node:tls';
import type { Envelope } from '@writ/contract';
import { checkInviteTime, judgeInvite, meetSet, startSets, TrustError } from '@writ/trust';
import type { HeldSets, Signer } from '@writ/trust';
import { readPeerIdentity } from '@writ/trust/certificates';
import { AgentError } from '../agent-error.ts';

// What a joining machine checks before it proves anything.

/** The pinned document must be one of the chain: by its digest it vouches for all before it, and those after it are signed. */
export function followPinned(envelopes: readonly Envelope[], pinned: string): HeldSets {
  try {
    const [first, ...later] = envelopes;
    if (!first) throw new TrustError('set.malformed', 'there is no signer set');
    const sets = later.reduce((held, next) => meetSet(held, next).sets, startSets(first));
    if (!sets.chain.some((held) => held.digest === pinned))
      throw new TrustError('set.fork', 'the set that the invite names is not among them');
    return sets;
  } catch (cause) {
    if (!(cause instanceof TrustError)) throw cause;
    throw new AgentError(
      'join.set_wrong',
      `The server does not have the signer set that the invite names: ${cause.message}. Either this is another server, or it lies. Nothing was told to it; ask whoever made the invite.`,
      { cause },
    );
  }
}

export function judgeServer(line: { readonly socket: TLSSocket }, sets: HeldSets, now: number): void {
  try {
    readPeerIdentity(line.socket, {
      cluster: sets.cluster,
      roles: ['server'],
      now,
      roots: rootsOf(sets),
      issuing: [],
      mayActNow: () => true,
    });
  } catch (cause) {
    throw new AgentError(
      'join.server_wrong',
      `The server could show the signer set, but not a certificate of an authority in it: ${cause instanceof Error ? cause.message : String(cause)} Somebody may stand between. Nothing was told to it.`,
      { cause },
    );
  }
}

export function judgeOffered(envelope: Envelope, key: Signer, sets: HeldSets, now: number | null) {
  try {
    const judged = judgeInvite(envelope, sets);
    if (now !== null) checkInviteTime(judged.invite, now);
    if (judged.invite.inviteKey !== key.key)
      throw new TrustError('invite.other', 'it is the public half of another invite');
    if (judged.invite.role !== 'agent')
      throw new TrustError('invite.role', `it is for a ${judged.invite.role}`);
    return judged;
  } catch (cause) {
    if (!(cause instanceof TrustError)) throw cause;
    throw new AgentError(
      'join.invite_wrong',
      `This invite does not count: ${cause.message}. Ask for a new one: writ invite.`,
      { cause },
    );
  }
}

export const rootsOf = (sets: HeldSets): Uint8Array[] =>
  sets.current.authorities.map((der) => Buffer.from(der, 'base64'));
