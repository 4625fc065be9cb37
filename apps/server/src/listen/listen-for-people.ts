import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type OwnCertificate, peopleServerTls } from '@writ/trust/certificates';
import type { ListeningAt } from '../running-server.ts';
import type { ChosenPort } from './kept-listening.ts';
import { limitServer } from './limits.ts';
import { listenOn } from './listen-on.ts';
import { trackConnections } from './track-connections.ts';

export interface Listener {
  readonly at: ListeningAt;
  /** For connections made from now on. */
  use(own: OwnCertificate): void;
  close(): Promise<void>;
}

export interface PeopleListening {
  readonly own: OwnCertificate;
  readonly host: string | undefined;
  readonly port: ChosenPort;
  readonly answer: (
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ) => void;
}

/** Of one connection. */
const MOST_STREAMS = 100;

/** HTTPS for people: TLS 1.3, HTTP/2 and HTTP/1.1, no client certificate. */
export async function listenForPeople({
  own,
  host,
  port: chosen,
  answer,
}: PeopleListening): Promise<Listener> {
  const { port, isKept } = chosen;
  const server = limitServer(
    createSecureServer(
      {
        ...peopleServerTls(own),
        allowHTTP1: true,
        // Over HTTP/1.1 the second of two small writes would wait for the peer's delayed acknowledgement: 40 ms an event.
        noDelay: true,
        handshakeTimeout: 10_000,
        settings: { maxConcurrentStreams: MOST_STREAMS },
      },
      answer,
    ),
  );
  // A peer that breaks off says nothing worth knowing.
  server.on('sessionError', () => {});
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const close = trackConnections(server);
  const address = await listenOn(server, { port, ...(host !== undefined && { host }) }, '--port', isKept);
  return {
    at: { host: address?.address ?? '', port: address?.port ?? port },
    use: (next) => server.setSecureContext(peopleServerTls(next)),
    close,
  };
}
