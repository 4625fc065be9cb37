import { createSecureServer, type Http2SecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type OwnCertificate, peopleServerTls } from '@writ/trust/certificates';
import { limitServer } from './limits.ts';

export type AnswerPeople = (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) => void;

/** HTTPS for people: TLS 1.3, HTTP/2 and HTTP/1.1, no client certificate. */
export function serveForPeople(own: OwnCertificate, answer: AnswerPeople): Http2SecureServer {
  const server = createSecureServer({ ...peopleServerTls(own), allowHTTP1: true, handshakeTimeout: 10_000 }, answer);
  server.on('session', (session) => session.setTimeout(300_000, () => session.close()));
  return limitServer(server);
}
