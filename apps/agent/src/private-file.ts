import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The last write of each path that is under way. */
const writing = new Map<string, Promise<void>>();

/** Durable before it returns, whole or not there at all, and nobody else's to read. Writes of one path go in turn. */
export async function writePrivateFile(path: string, bytes: string | Uint8Array): Promise<void> {
  const mine = writeAfter(writing.get(path), path, bytes);
  writing.set(path, mine);
  try {
    await mine;
  } finally {
    if (writing.get(path) === mine) writing.delete(path);
  }
}

async function writeAfter(
  before: Promise<void> | undefined,
  path: string,
  bytes: string | Uint8Array,
): Promise<void> {
  // Whoever asked for that one hears how it went.
  await before?.catch(() => undefined);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const beside = `${path}.new`;
  const file = await open(beside, 'w', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  await syncFolder(dirname(path));
}

/** A name in a folder is durable only when the folder is. */
export async function syncFolder(folder: string): Promise<void> {
  const opened = await open(folder, 'r');
  try {
    await opened.sync();
  } catch {
    // Windows does not sync folders.
  } finally {
    await opened.close();
  }
}

/** @returns undefined when there is no such file. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
