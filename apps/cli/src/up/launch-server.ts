import { connect } from 'node:net';
import { openSocketPath } from '@writ/client/socket-path';
import { makeFolder } from '@writ/trust/node';
import type { Surroundings } from '../surroundings.ts';
import type { Places } from './places.ts';
import { programEnvironment } from './program-environment.ts';
import { type ServerWish, serverProgram } from './server-program.ts';
import { type Detached, startDetached } from './start-detached.ts';

/**
 * Starts the server of this folder, unless one listens there. What follows waits for it, so nothing is loaded before it
 * that only later steps need.
 */
export async function launchServer(
  places: Places,
  wish: ServerWish,
  surroundings: Surroundings,
): Promise<Detached | undefined> {
  if (await isListenedOn(places.state)) return undefined;
  await makeFolder(places.server, 0o700);
  const { argv } = serverProgram(places, wish, false);
  return startDetached(argv, places.serverLog, programEnvironment(surroundings));
}

/** Whether the administrator's socket has somebody behind it. Who that is, is asked later. */
async function isListenedOn(stateFolder: string): Promise<boolean> {
  await using socket = await openSocketPath(stateFolder);
  return await new Promise((resolve) => {
    const tried = connect(socket.path);
    tried.once('connect', () => {
      tried.destroy();
      resolve(true);
    });
    tried.once('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code !== 'ENOENT' && code !== 'ECONNREFUSED'),
    );
  });
}
