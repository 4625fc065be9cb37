import { Duplex } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import { TrustError } from '../trust-error.ts';
import type { PeerIdentity } from './peer-identity.ts';
import { refusal } from './refuse.ts';
import {
  type Expect,
  linkClientTls,
  linkProtocol,
  type OwnCertificate,
  readPeerIdentity,
} from './tls-options.ts';

export interface LinkDialing {
  /** An address to connect to, or a stream that is connected already (a proxy's tunnel). */
  readonly to: { readonly host: string; readonly port: number } | Duplex;
  readonly own: OwnCertificate;
  readonly expect: Expect;
  readonly signal: AbortSignal;
}

/**
 * Connects and judges the far end before anything is sent to it.
 * The far end judges after that: when it refuses, the socket closes. Watch its `close`.
 */
export async function dialLink({ to, own, expect, signal }: LinkDialing): Promise<{
  socket: TLSSocket;
  identity: PeerIdentity;
}> {
  signal.throwIfAborted();
  const target = to instanceof Duplex ? { socket: to } : { host: to.host, port: to.port };
  const socket = connect({ ...linkClientTls(own, expect), ...target });
  const abort = (): void => {
    socket.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
  };
  signal.addEventListener('abort', abort, { once: true });
  try {
    await handshakeOf(socket);
    if (socket.alpnProtocol !== linkProtocol) {
      throw refusal('link.protocol', `The peer does not speak ${linkProtocol}. Is it the agents' port?`);
    }
    // HTTP/2 leaves a socket open that ends with an alert, and an error that nobody hears ends the program.
    socket.on('error', () => socket.destroy());
    return { socket, identity: readPeerIdentity(socket, expect()) };
  } catch (error) {
    socket.on('error', () => {});
    socket.destroy();
    if (error instanceof TrustError || signal.aborted) throw error;
    if (socket.authorizationError != null) {
      throw refusal(
        'certificate.untrusted',
        `TLS did not accept the certificate of the peer: ${String(socket.authorizationError)}. Check the address and both clocks.`,
        error,
      );
    }
    const why = error instanceof Error ? error.message : String(error);
    throw refusal(
      'link.handshake',
      `No connection was made: ${why}. Check the address and both clocks.`,
      error,
    );
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function handshakeOf(socket: TLSSocket): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', () => {
      socket.off('error', reject).off('close', closed);
      resolve();
    });
    const closed = (): void => reject(new Error('the peer closed the connection'));
    socket.once('error', reject);
    socket.once('close', closed);
  });
}
