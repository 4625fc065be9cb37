import { renameSync, rmSync, writeFileSync } from 'node:fs';
import type { OwnerFile } from '../launcher/owner-file.ts';
import { readOwnerFile } from '../launcher/owner-file.ts';

export type { OwnerFile };

/** Written whole or not at all, and read back as the launcher will read it. */
export function writeOwnerFile(path: string, owner: OwnerFile): void {
  const fresh = `${path}.new`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, `${JSON.stringify(owner, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  readOwnerFile(fresh, process.geteuid?.() ?? null);
  renameSync(fresh, path);
}

/** The owner's limits until the owner says otherwise. */
export function usualMost(memoryBytes: number): OwnerFile['most'] {
  return {
    wallMs: 7 * 86_400_000,
    memoryBytes,
    pids: 4096,
    diskBytes: 64 * 2 ** 30,
    nofile: 65_536,
    logBytes: 4 * 2 ** 30,
    outputsBytes: 64 * 2 ** 30,
  };
}
