import type { TLSSocket } from 'node:tls';
import type { dialLink, PeerExpectation } from '@writ/trust/certificates';
import { AgentError } from './agent-error.ts';
import type { HeldLeaf } from './certificate/tls-store.ts';
import type { Clock } from './clock.ts';

/** The way to the server: the owner's addresses in turn, with a certificate that holds. */
export interface Reach {
  dial(signal: AbortSignal): Promise<TLSSocket>;
  /** The leaf of this agent, asked for again when the one it has is over. */
  currentLeaf(signal: AbortSignal): Promise<HeldLeaf>;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface ReachParts {
  readonly servers: readonly Address[];
  /** The leaf that this agent has. */
  readonly heldLeaf: () => HeldLeaf | undefined;
  /** Whether the server may have replaced it by one that never came, or could not be taken. */
  readonly isAsking: () => boolean;
  /** Asks the server at this address for one. */
  readonly enrol: (to: Address, signal: AbortSignal) => Promise<HeldLeaf>;
  readonly expectServer: () => PeerExpectation;
  readonly dialLink: typeof dialLink;
  readonly clock: Clock;
}

/** What stops answering in the middle is given up: the server itself ends such a conversation sooner. */
const TRY_MS = 20_000;

export function reachServer(parts: ReachParts): Reach {
  const { servers, heldLeaf, isAsking, enrol, expectServer, dialLink, clock } = parts;
  return { dial, currentLeaf };

  async function dial(signal: AbortSignal): Promise<TLSSocket> {
    const leaf = await currentLeaf(signal);
    let failure: unknown = new AgentError('link.refused', 'No server address is known.');
    for (const server of servers) {
      try {
        const { socket } = await inTime(signal, (limit) =>
          dialLink({ to: server, own: leaf.own, expect: expectServer, signal: limit }),
        );
        return socket;
      } catch (error) {
        if (signal.aborted) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  async function currentLeaf(signal: AbortSignal): Promise<HeldLeaf> {
    const leaf = heldLeaf();
    // One from a server whose clock was ahead is of no use either.
    const holds = leaf !== undefined && leaf.notBefore <= clock.now() && leaf.notAfter > clock.now();
    if (holds && !isAsking()) return leaf;
    let failure: unknown;
    for (const server of servers) {
      try {
        return await inTime(signal, (limit) => enrol(server, limit));
      } catch (error) {
        failure = error;
      }
    }
    if (holds) return leaf;
    throw (
      failure ??
      new AgentError('link.refused', 'This agent has no certificate and no server address to get one from.')
    );
  }

  async function inTime<T>(signal: AbortSignal, act: (limit: AbortSignal) => Promise<T>): Promise<T> {
    const over = new AbortController();
    const limit = new AbortController();
    const stop = (): void => limit.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const waiting = clock.wait(TRY_MS, over.signal).then(() => {
      if (!over.signal.aborted) limit.abort(new AgentError('link.closed', 'The server stopped answering.'));
    });
    try {
      return await act(limit.signal);
    } finally {
      signal.removeEventListener('abort', stop);
      over.abort();
      await waiting;
    }
  }
}
