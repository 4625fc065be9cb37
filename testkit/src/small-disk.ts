import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A folder on a disk of its own that can be full, and grow. Only root makes one. */
export function makeSmallDisk(folder: string, mib: number): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m,mode=0700`, 'tmpfs', folder]);
}

export function growSmallDisk(folder: string, mib: number): void {
  execFileSync('mount', ['-o', `remount,size=${mib}m`, folder]);
}

export function removeSmallDisk(folder: string): void {
  execFileSync('umount', ['-l', folder]);
}

const BLOCK = new Uint8Array(4096);

/** Another program takes all that is left. @returns gives it back. */
export function fillDisk(folder: string): () => void {
  const path = join(folder, 'of-another-program');
  const file = openSync(path, 'a', 0o600);
  try {
    for (;;) writeSync(file, BLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
  return () => rmSync(path, { force: true });
}
