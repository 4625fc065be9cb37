import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from './make-folder.ts';

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
  await makeFolder(dirname(path), 0o700);
  // Several programs may write one path.
  const beside = `${path}.${process.pid}.new`;
  try {
    const file = await open(beside, 'w', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
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
