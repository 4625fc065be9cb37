import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FolderHold } from '@writ/store/hold-folder';
import { holdFolder } from '@writ/store/hold-folder';
import { StartError } from './start-error.ts';

const firstUid = 1_900_000_000;
const uidsPerBlock = 64;
const blocks = 4096;
const patienceMs = 5000;

export const uidBlocksFolder = '/var/lib/writ/blocks';

/**
 * A block of 64 account numbers that nobody else on the machine uses: the program's own, then one for each slot.
 * The same state folder gets the same block again. A block is free again when its state folder is gone and no process
 * runs under it.
 */
export function takeUidBlock(stateFolder: string, folder: string = uidBlocksFolder): number {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const hold = holdWithPatience(folder);
  try {
    const owners = readOwners(folder);
    for (const [block, owner] of owners) if (owner === stateFolder) return firstOf(block);
    freeUnused(folder, owners);
    for (let block = 0; block < blocks; block++) {
      if (owners.has(block)) continue;
      writeFileSync(join(folder, String(block)), stateFolder, { flag: 'wx', mode: 0o600 });
      return firstOf(block);
    }
  } finally {
    hold.release();
  }
  throw new StartError(
    'start.no_block',
    `All ${blocks} blocks of accounts in ${folder} are taken. Remove the files of state folders that are gone.`,
  );
}

/** Gives a block back, when its state folder is removed for good. */
export function giveBackUidBlock(stateFolder: string, folder: string = uidBlocksFolder): void {
  for (const [block, owner] of readOwners(folder))
    if (owner === stateFolder) rmSync(join(folder, String(block)));
}

const firstOf = (block: number): number => firstUid + block * uidsPerBlock;

function readOwners(folder: string): Map<number, string> {
  const names = readdirSync(folder).filter((name) => /^\d+$/.test(name));
  return new Map(names.map((name) => [Number(name), readFileSync(join(folder, name), 'utf8')]));
}

function freeUnused(folder: string, owners: Map<number, string>): void {
  const gone = [...owners].filter(([, owner]) => !existsSync(owner));
  if (gone.length === 0) return;
  const used = blocksInUse();
  for (const [block] of gone) {
    if (used.has(block)) continue;
    rmSync(join(folder, String(block)), { force: true });
    owners.delete(block);
  }
}

/** By every account that a process has: real, effective, saved, of the file system. */
function blocksInUse(): Set<number> {
  const used = new Set<number>();
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const uids = /^Uid:\s+(.*)$/m.exec(readStatus(pid))?.[1]?.split(/\s+/) ?? [];
    for (const uid of uids) used.add(Math.floor((Number(uid) - firstUid) / uidsPerBlock));
  }
  return used;
}

function readStatus(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return ''; // it has ended
  }
}

/** Two programs that start at the same time take their blocks one after the other. */
function holdWithPatience(folder: string): FolderHold {
  for (const until = performance.now() + patienceMs; ;) {
    try {
      return holdFolder(folder);
    } catch (cause) {
      if (performance.now() > until)
        throw new StartError('start.no_block', `The blocks of accounts in ${folder} cannot be held.`, {
          cause,
        });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
