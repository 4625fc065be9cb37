import { certificateReplyCheck } from '@writ/contract';
import type { CertificateReply, Envelope } from '@writ/contract';
import { AgentError } from '../agent-error.ts';
import type { Clock } from '../clock.ts';
import { reasonOf } from '../log.ts';
import type { Log } from '../log.ts';
import type { HeldLeaf, TlsStore } from './tls-store.ts';

/** When to ask for the next leaf: at half of its life, 10 % sooner or later, so that many agents do not come at once. */
export function renewalTime(
  { notBefore, notAfter }: Pick<HeldLeaf, 'notBefore' | 'notAfter'>,
  random: () => number,
): number {
  return notBefore + (notAfter - notBefore) * (0.4 + random() * 0.2);
}

export interface Renewing {
  readonly store: TlsStore;
  /** Asks over the open link; rejects when there is none. */
  readonly ask: (request: Envelope) => Promise<unknown>;
  readonly onRenewed: (leaf: HeldLeaf) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

const RETRY = 60_000;
const LONGEST_WAIT = 3_600_000;
/** Of a leaf's life: so long a new one is kept whatever the clock says. */
const LEAST_KEPT = 0.1;

/** Renews until the signal fires, without dropping the link: connections made from then on show the new leaf. */
export async function renewAlways(renewing: Renewing, signal: AbortSignal): Promise<void> {
  const { store, clock } = renewing;
  let keptUntil = 0;
  for (;;) {
    const { leaf } = store;
    // Without a leaf there is nothing to renew: connecting brings the first one.
    const due = leaf ? Math.max(keptUntil, renewalTime(leaf, renewing.random)) : clock.now() + RETRY;
    // In short steps: a machine that slept wakes with the time, not with the timer.
    while (clock.now() < due && !signal.aborted)
      await clock.wait(Math.min(due - clock.now(), LONGEST_WAIT), signal);
    if (signal.aborted) return;
    if (!leaf) continue;
    try {
      const renewed = await renewLeaf(renewing);
      // Where this clock is far ahead of the server's, each new leaf looks old: it is not asked for again at once.
      keptUntil = clock.now() + (renewed.notAfter - renewed.notBefore) * LEAST_KEPT;
      renewing.onRenewed(renewed);
    } catch (error) {
      renewing.log('certificate.not_renewed', { why: reasonOf(error) });
      await clock.wait(RETRY * (0.5 + renewing.random()), signal);
    }
  }
}

/** One renewal. After a lost answer the same key asks again and gets the same leaf. */
export async function renewLeaf({
  store,
  ask,
  clock,
  log,
}: Pick<Renewing, 'store' | 'ask' | 'clock' | 'log'>): Promise<HeldLeaf> {
  const reply = await ask(await store.prepare(clock.now()));
  if (!certificateReplyCheck.is(reply))
    throw new AgentError('link.malformed', 'The server answered a renewal with something else.');
  const leaf = await store.install(reply satisfies CertificateReply, clock.now());
  log('certificate.renewed', { serial: leaf.serial, notAfter: leaf.notAfter });
  return leaf;
}
