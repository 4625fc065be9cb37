import type { TLSSocket } from 'node:tls';
import {
  type Expect,
  type LinkListening,
  listenForLinks,
  type OwnCertificate,
  useCertificate,
} from '@writ/trust/certificates';
import type { ChosenPort } from './kept-listening.ts';
import { listenOn } from './listen-on.ts';
import type { Listener } from './listen-for-people.ts';
import { trackConnections } from './track-connections.ts';

export interface AgentListening {
  readonly own: OwnCertificate;
  readonly host: string | undefined;
  readonly port: ChosenPort;
  readonly expect: Expect;
  readonly onLink: LinkListening['onLink'];
  readonly onEnrol: (socket: TLSSocket) => void;
  readonly onRefused: LinkListening['onRefused'];
}

const MOST_CONNECTIONS = 12_000;

/** The agents' port: judged links, and joining machines. */
export async function listenForAgents(asked: AgentListening): Promise<Listener> {
  const { own, expect, onLink, onEnrol, onRefused, host } = asked;
  const { port, isKept } = asked.port;
  const listening: LinkListening = { own, expect, onLink, onEnrol, onRefused, handshakeTimeoutMs: 10_000 };
  const server = listenForLinks(listening);
  server.maxConnections = MOST_CONNECTIONS;
  const close = trackConnections(server);
  const address = await listenOn(
    server,
    { port, ...(host !== undefined && { host }) },
    '--agent-port',
    isKept,
  );
  return {
    at: { host: address?.address ?? '', port: address?.port ?? port },
    use: (next) => useCertificate(server, listening, next),
    close,
  };
}
