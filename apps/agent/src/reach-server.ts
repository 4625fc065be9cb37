import type { TLSSocket } from 'node:tls';
import { dialLink } from '@writ/trust/certificates';
import type { PeerExpectation } from '@writ/trust/certificates';
import { AgentError } from './agent-error.ts';
import { enrolLeaf } from './certificate/enrol-leaf.ts';
import type { HeldLeaf, TlsStore } from './certificate/tls-store.ts';
import type { Clock } from './clock.ts';
import { addressOf } from './config/machine-file.ts';
import { openEnrolment } from './connect/enrol.ts';
import type { Log } from './log.ts';

/** The way to the server: the owner's addresses in turn, with a certificate that holds. */
export interface Reach {
  dial(signal: AbortSignal): Promise<TLSSocket>;
  /** The leaf of this agent, asked for again when the one it has is over. */
  currentLeaf(signal: AbortSignal): Promise<HeldLeaf>;
}

export interface ReachParts {
  readonly servers: readonly string[];
  readonly tls: TlsStore;
  readonly expectServer: () => PeerExpectation;
  readonly clock: Clock;
  readonly log: Log;
}

export function reachServer({ servers, tls, expectServer, clock, log }: ReachParts): Reach {
  return { dial, currentLeaf };

  async function dial(signal: AbortSignal): Promise<TLSSocket> {
    const leaf = await currentLeaf(signal);
    let failure: unknown = new AgentError('link.refused', 'No server address is known.');
    for (const server of servers) {
      try {
        const { socket } = await dialLink({
          to: addressOf(server),
          own: leaf.own,
          expect: expectServer,
          signal,
        });
        return socket;
      } catch (error) {
        if (signal.aborted) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  async function currentLeaf(signal: AbortSignal): Promise<HeldLeaf> {
    const { leaf } = tls;
    if (leaf && leaf.notAfter > clock.now()) return leaf;
    let failure: unknown;
    for (const server of servers) {
      try {
        return await enrolLeaf({
          open: () => openEnrolment(addressOf(server), signal),
          expect: expectServer,
          store: tls,
          clock,
          log,
        });
      } catch (error) {
        failure = error;
      }
    }
    throw (
      failure ??
      new AgentError('link.refused', 'This agent has no certificate and no server address to get one from.')
    );
  }
}
