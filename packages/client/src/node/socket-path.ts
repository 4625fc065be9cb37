import { open, readFile } from 'node:fs/promises';
import path from 'node:path';

/** Unix addresses end at 107 bytes. */
const LONGEST = 100;

/** A way to a socket, which may hold a folder open. */
export interface SocketPath extends AsyncDisposable {
  /** What to connect to. */
  readonly path: string;
}

/**
 * The administrator's socket of a state folder. Behind its wall the server knows the folder by a short name, so a path that
 * is too long for an address is reached through the open folder; without a wall `address.json` says where it is.
 */
export async function openSocketPath(stateFolder: string): Promise<SocketPath> {
  const folder = path.join(stateFolder, 'server');
  const usual = path.join(folder, 'admin.sock');
  if (Buffer.byteLength(usual) <= LONGEST)
    return { path: usual, [Symbol.asyncDispose]: () => Promise.resolve() };
  const said = await readSocket(path.join(folder, 'address.json'));
  if (said !== undefined && !said.startsWith('/writ/'))
    return { path: said, [Symbol.asyncDispose]: () => Promise.resolve() };
  try {
    const handle = await open(folder, 'r');
    return { path: `/proc/self/fd/${handle.fd}/admin.sock`, [Symbol.asyncDispose]: () => handle.close() };
  } catch {
    return { path: usual, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
}

async function readSocket(file: string): Promise<string | undefined> {
  try {
    const address: unknown = JSON.parse(await readFile(file, 'utf8'));
    const { socket } = address as { socket?: unknown };
    return typeof socket === 'string' ? socket : undefined;
  } catch {
    return undefined;
  }
}
