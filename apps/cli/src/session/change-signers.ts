import { ClientError } from '@writ/client';
import type { Envelope } from '@writ/contract';
import {
  allSets,
  envelopeDigest,
  followSet,
  type HeldSets,
  nextSet,
  type SetChange,
  signSet,
  TrustError,
} from '@writ/trust';
import type { Signer } from '@writ/trust';
import { CliError } from '../cli-error.ts';
import type { Surroundings } from '../surroundings.ts';
import type { Session } from './open-session.ts';

export interface ChangeWish {
  readonly changes: readonly SetChange[];
  /** Beside the person's own key. */
  readonly also?: readonly Signer[];
  /** To settle a fork. */
  readonly mayHaveRivals?: boolean;
  /** A key of one's own is ended: that needs no right. */
  readonly isOwnEnd?: boolean;
  /** Before it can count anywhere. */
  readonly beforeSent?: (next: HeldSets) => void;
}

/**
 * Signs the version that follows and gives it to the server. A set that was signed here is on the disk before it is sent, and
 * is sent again before another one is signed: whoever signs two that follow one set makes a fork.
 */
export async function changeSigners(
  session: Session,
  { now }: Surroundings,
  { changes, also = [], mayHaveRivals = false, isOwnEnd = false, beforeSent }: ChangeWish,
): Promise<HeldSets> {
  await catchUp(session);
  const [rival] = session.sets.rivals;
  if (rival && !mayHaveRivals)
    throw new CliError(
      'signer.fork',
      `Two signer sets call themselves version ${rival.set.version}, both rightly signed. Nothing counts that either has removed.`,
      'Look at both: writ signer history. Then say that yours holds: writ signer settle',
    );
  const { person, signer } = await session.key();
  const { changers, persons } = session.sets.current;
  if (!isOwnEnd && !changers.includes(person))
    throw new CliError(
      'signer.not_changer',
      'You may not change the signer set.',
      `Ask ${persons
        .filter(({ id }) => changers.includes(id))
        .map(({ name }) => name)
        .join(' or ')}.`,
    );
  const { envelope } = signSet(nextSet(session.sets, now(), ...changes), [signer, ...also]);
  beforeSent?.(followSet(session.sets, envelope));
  return await giveSet(session, envelope);
}

/** Judged here first, kept, sent, and pinned when the server has it. */
export async function giveSet(session: Session, envelope: Envelope): Promise<HeldSets> {
  const { cluster } = session.context;
  const next = followSet(session.sets, envelope);
  await session.people.writeSigned(cluster, envelope);
  try {
    await session.client.changeSet(await missingThere(session, next));
  } catch (error) {
    if (isNever(error)) await session.people.writeSigned(cluster, null);
    throw error;
  }
  await session.keep(next);
  await session.people.writeSigned(cluster, null);
  return next;
}

/** What the server shows, and what was signed here when an answer was lost. */
async function catchUp(session: Session): Promise<void> {
  await session.advance(await session.client.readTrust());
  const signed = await session.people.readSigned(session.context.cluster);
  if (!signed) return;
  try {
    await giveSet(session, signed);
  } catch (error) {
    // It has been taken, or another one was first.
    if (!(error instanceof TrustError) && !isNever(error)) throw error;
    await session.people.writeSigned(session.context.cluster, null);
  }
}

/** It was not taken, and never will be. */
export const isNever = (error: unknown): boolean =>
  error instanceof ClientError && /^(set\.refused|conflict\.)/.test(error.code);

/** A server on another branch needs all of this one. */
async function missingThere({ client }: Session, next: HeldSets): Promise<Envelope[]> {
  const there = new Set((await client.readTrust()).sets.map(envelopeDigest));
  return allSets(next).filter((envelope) => !there.has(envelopeDigest(envelope)));
}
