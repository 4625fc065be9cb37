import { closeSync, constants, copyFileSync, linkSync, lstatSync, openSync, rmSync } from 'node:fs';
import { LauncherError } from './launcher-error.ts';
import type { RunMessage } from './messages.ts';

/**
 * Links the blobs of one run into a folder that only the launcher writes, and looks at them there. The cache belongs to
 * the agent, which may put a symbolic link in it at any moment; `link` does not follow one, and what kind of file a
 * link of our own stands for cannot change any more.
 */
export function takeInputs(inputs: RunMessage['inputs'], cacheFolder: string, inputsFolder: string): void {
  for (const [path, digestHex, executable] of inputs) {
    const name = blobName(digestHex, executable);
    const own = `${inputsFolder}/${name}`;
    try {
      linkSync(`${cacheFolder}/${name}`, own);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EXDEV') copyUnfollowed(`${cacheFolder}/${name}`, own);
      else if (code !== 'EEXIST')
        throw new LauncherError('launcher.slot', `the input ${path} is not in the cache (${code})`, {
          cause: error,
        });
    }
    if (!lstatSync(own).isFile())
      throw new LauncherError('launcher.slot', `the input ${path} is no regular file`);
  }
}

export function giveBackInputs(inputs: RunMessage['inputs'], inputsFolder: string): void {
  for (const [, digestHex, executable] of inputs)
    rmSync(`${inputsFolder}/${blobName(digestHex, executable)}`, { force: true });
}

/** The agent keeps an executable input as a second blob, because one file has one mode. */
export function blobName(digestHex: string, executable: boolean): string {
  return executable ? `${digestHex}.x` : digestHex;
}

function copyUnfollowed(from: string, to: string): void {
  const descriptor = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    copyFileSync(`/proc/self/fd/${descriptor}`, to, constants.COPYFILE_EXCL);
  } finally {
    closeSync(descriptor);
  }
}
