import type { AddressInfo, ListenOptions, Server } from 'node:net';
import { StartError } from '../server-error.ts';

/** Listens, or says which flag to change. */
export async function listenOn(
  server: Server,
  at: ListenOptions,
  flag: string,
  isKept = false,
): Promise<AddressInfo | null> {
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void => {
      const where = at.path ?? `${at.host ?? 'all addresses'} port ${at.port}`;
      const error =
        cause.code === 'EADDRINUSE'
          ? new StartError(
              'listen.port_busy',
              `Another program listens on ${where}${isKept ? ', where this server listened before' : ''}. Stop it, or choose another with ${flag}.`,
              { cause },
            )
          : new StartError(
              'listen.failed',
              `Cannot listen on ${where}: ${cause.message}. Choose another with ${flag}.`,
              { cause },
            );
      reject(error);
    };
    server.once('error', fail);
    server.listen(at, () => {
      server.off('error', fail);
      resolve();
    });
  });
  const address = server.address();
  return typeof address === 'object' ? address : null;
}
