import { createServer, type RequestListener } from 'node:http';
import { chmod, lstat, mkdir, rm } from 'node:fs/promises';
import { StartError } from '../server-error.ts';
import { listenOn } from './listen-on.ts';
import { socketPath } from './socket-path.ts';
import { limitServer } from './limits.ts';
import { trackConnections } from './track-connections.ts';

/**
 * The administrator's socket: whoever can open it is one, so its folder and itself are closed to other accounts.
 * The caller holds the state folder, so what lies at the path is left over.
 */
export async function listenOnSocket(
  folder: string,
  uid: number,
  answer: RequestListener,
): Promise<{ readonly path: string; close(): Promise<void> }> {
  const place = socketPath(folder, uid);
  await mkdir(place.folder, { recursive: true, mode: 0o700 });
  const { uid: owner, mode } = await lstat(place.folder);
  if (owner !== uid || (mode & 0o077) !== 0) {
    throw new StartError(
      'state.unusable',
      `${place.folder} belongs to another account or is open to one. Remove it, or run chmod 700 on it.`,
    );
  }
  await rm(place.path, { force: true });
  const server = limitServer(createServer(answer));
  const close = trackConnections(server);
  await listenOn(server, { path: place.path }, 'the socket');
  await chmod(place.path, 0o600);
  return { path: place.path, close };
}
