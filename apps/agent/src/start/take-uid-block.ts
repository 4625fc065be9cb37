import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StartError } from './start-error.ts';

const firstUid = 1_900_000_000;
const uidsPerBlock = 64;
const blocks = 4096;

export const uidBlocksFolder = '/var/lib/writ/blocks';

/**
 * A block of 64 account numbers that nobody else on the machine uses: the program's own, then one for each slot.
 * The same state folder gets the same block again; a file made with O_EXCL keeps two programs from taking one.
 */
export function takeUidBlock(stateFolder: string, folder: string = uidBlocksFolder): number {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const taken = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
  for (const [name, owner] of taken) if (owner === stateFolder) return firstUid + Number(name) * uidsPerBlock;
  for (let block = 0; block < blocks; block++) {
    if (taken.has(String(block))) continue;
    try {
      writeFileSync(join(folder, String(block)), stateFolder, { flag: 'wx', mode: 0o600 });
      return firstUid + block * uidsPerBlock;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  throw new StartError(
    'start.no_block',
    `All ${blocks} blocks of accounts in ${folder} are taken. Remove the files of state folders that are gone.`,
  );
}

/** Gives a block back, when its state folder is removed for good. */
export function giveBackUidBlock(stateFolder: string, folder: string = uidBlocksFolder): void {
  for (const name of readdirSync(folder))
    if (readFileSync(join(folder, name), 'utf8') === stateFolder) rmSync(join(folder, name));
}
