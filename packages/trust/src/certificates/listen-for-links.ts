import { createServer, type Server, type TLSSocket } from 'node:tls';
import { TrustError } from '../trust-error.ts';
import type { PeerIdentity } from './peer-identity.ts';
import { refusal } from './refuse.ts';
import {
  enrolProtocol,
  type Expect,
  linkProtocol,
  linkServerTls,
  type OwnCertificate,
  readPeerIdentity,
} from './tls-options.ts';
import { linkOrEnrolServerTls } from './unjudged-tls.ts';

export interface LinkListening {
  readonly own: OwnCertificate;
  readonly expect: Expect;
  /** The socket is handed over with nothing read from it. Who takes it closes it. */
  readonly onLink: (socket: TLSSocket, identity: PeerIdentity) => void;
  /** Where joining machines are served: their sockets, unauthenticated. Without it they are refused. */
  readonly onEnrol?: (socket: TLSSocket) => void;
  /** Each refused connection, already cut. */
  readonly onRefused: (error: TrustError, remoteAddress: string) => void;
  readonly handshakeTimeoutMs?: number;
}

/** A TLS server that gives out judged connections only. The caller calls `listen` and `close`. */
export function listenForLinks(listening: LinkListening): Server {
  const { onLink, onEnrol, onRefused, handshakeTimeoutMs = 10_000 } = listening;
  const server = createServer({
    ...serverTls(listening, listening.own),
    handshakeTimeout: handshakeTimeoutMs,
  });
  server.on('secureConnection', (socket) => {
    // The far end may be gone in the middle of a write; an error that nobody hears ends the program.
    socket.on('error', () => socket.destroy());
    if (socket.alpnProtocol === enrolProtocol && onEnrol !== undefined) {
      onEnrol(socket);
      return;
    }
    let identity: PeerIdentity;
    try {
      identity = judgeLink(socket, listening);
    } catch (error) {
      const address = socket.remoteAddress ?? '';
      socket.destroy();
      onRefused(asTrustError(error), address);
      return;
    }
    onLink(socket, identity);
  });
  server.on('tlsClientError', (error, socket) => {
    const address = socket.remoteAddress ?? '';
    socket.destroy();
    onRefused(asTrustError(error), address);
  });
  return server;
}

/** For connections made from now on: a renewed leaf, or other roots. */
export function useCertificate(server: Server, listening: LinkListening, own: OwnCertificate): void {
  server.setSecureContext(serverTls(listening, own));
}

function serverTls({ onEnrol, expect }: LinkListening, own: OwnCertificate) {
  return onEnrol === undefined ? linkServerTls(own, expect) : linkOrEnrolServerTls(own, expect);
}

function judgeLink(socket: TLSSocket, { expect }: LinkListening): PeerIdentity {
  if (socket.alpnProtocol !== linkProtocol) {
    throw refusal(
      'link.protocol',
      `The peer did not ask for the protocol ${linkProtocol}. Is it a writ program?`,
    );
  }
  const identity = readPeerIdentity(socket, expect());
  if (!socket.authorized) {
    throw refusal(
      'certificate.untrusted',
      `TLS did not accept the certificate: ${String(socket.authorizationError)}. Ask this cluster for a new one.`,
    );
  }
  return identity;
}

function asTrustError(error: unknown): TrustError {
  if (error instanceof TrustError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return refusal(
    'link.handshake',
    `The handshake did not end well: ${why}. Nothing was read from the peer.`,
    error,
  );
}
