import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { ClientError } from '../client-error.ts';

/**
 * Reads a file that must be private.
 *
 * @returns undefined when there is no such file.
 * @throws ClientError `file.mode` for files that other people may read or that are not the caller's.
 */
export async function readPrivateFile(file: string): Promise<string | undefined> {
  let handle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === 'EACCES')
      throw new ClientError(
        'file.mode',
        `This account may not read ${file}: it, or a folder above it, belongs to another.`,
        { cause: error },
      );
    throw new ClientError('file.malformed', `${file} cannot be opened (${code ?? ''}).`, { cause: error });
  }
  await using opened = handle;
  const { mode, uid } = await opened.stat();
  if (process.platform !== 'win32') {
    if ((mode & 0o077) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, '0');
      throw new ClientError(
        'file.mode',
        `${file} has mode ${shown}: others may read or change it. If nobody did, run: chmod 600 '${file}'`,
      );
    }
    if (uid !== process.geteuid?.())
      throw new ClientError(
        'file.mode',
        `${file} belongs to the account ${uid}, not to the one that runs this.`,
      );
  }
  return await opened.readFile('utf8');
}
