import { randomFillSync } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const PART = 4 * 2 ** 20;

/** Files of random bytes. @returns their names. */
export function makeFiles(folder: string, count: number, bytes: number): string[] {
  mkdirSync(folder, { recursive: true });
  const part = Buffer.allocUnsafe(PART);
  return Array.from({ length: count }, (_, number) => {
    const file = openSync(join(folder, `file-${number}`), 'w');
    for (let at = 0; at < bytes; at += PART) {
      writeSync(file, randomFillSync(part), 0, Math.min(PART, bytes - at), at);
    }
    closeSync(file);
    return `file-${number}`;
  });
}

/** Other files: nobody has seen them before. */
export function changeFiles(folder: string, names: readonly string[]): void {
  for (const name of names) {
    const file = openSync(join(folder, name), 'r+');
    writeSync(file, randomFillSync(Buffer.alloc(64)), 0, 64, 0);
    closeSync(file);
  }
}
