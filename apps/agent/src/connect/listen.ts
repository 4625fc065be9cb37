import type { Server, TLSSocket } from 'node:tls';
import { listenForLinks, useCertificate } from '@writ/trust/certificates';
import type { Expect, OwnCertificate } from '@writ/trust/certificates';
import type { Log } from '../log.ts';

/** Where a server dials this agent. After the handshake it is the same link as one that the agent dialed. */
export interface LinkListener {
  readonly port: number;
  use(own: OwnCertificate): void;
  close(): Promise<void>;
}

export async function listenForServer(listening: {
  readonly host: string;
  readonly port: number;
  readonly own: OwnCertificate;
  readonly expect: Expect;
  readonly onSocket: (socket: TLSSocket) => void;
  readonly log: Log;
}): Promise<LinkListener> {
  const sockets = new Set<TLSSocket>();
  const links = {
    own: listening.own,
    expect: listening.expect,
    onLink: (socket: TLSSocket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      listening.onSocket(socket);
    },
    onRefused: (error: Error, address: string) =>
      listening.log('link.refused', { from: address, why: error.message }),
  };
  const server: Server = listenForLinks(links);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listening.port, listening.host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : listening.port,
    use: (own) => useCertificate(server, links, own),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
