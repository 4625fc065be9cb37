import { open, rename } from 'node:fs/promises';
import { refusal } from './refuse.ts';

/** Replaces the file at once; only its owner may read it. */
export async function writePrivateFile(path: string, content: string | Uint8Array): Promise<void> {
  const unfinished = `${path}.new`;
  const handle = await open(unfinished, 'w', 0o600);
  try {
    // An older unfinished file keeps its mode when it is opened again.
    await handle.chmod(0o600);
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(unfinished, path);
}

/** Refuses a file that anybody else may read, or that is not ours. */
export async function readPrivateFile(path: string): Promise<string> {
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw refusal(
      'authority.missing',
      `${path} cannot be opened. Restore it, or make a new authority.`,
      cause,
    );
  });
  try {
    const { mode, uid } = await handle.stat();
    if ((mode & 0o077) !== 0 || uid !== process.geteuid?.()) {
      throw refusal(
        'authority.not_private',
        `${path} is open to other accounts or belongs to one. Run chmod 600 on it and find out who could read it.`,
      );
    }
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
