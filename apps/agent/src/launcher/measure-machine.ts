import { existsSync, readlinkSync } from 'node:fs';

/** What this launcher may do here; found out by looking, told to nobody who could change it. */
export interface Machine {
  readonly isLinux: boolean;
  readonly isRoot: boolean;
  /** In a mount namespace apart from its parent's, so that what it mounts is seen by its own children only. */
  readonly hasOwnMounts: boolean;
  readonly bwrap: string | null;
  readonly setpriv: string | null;
  readonly unshare: string | null;
}

export function measureMachine(): Machine {
  const isLinux = process.platform === 'linux';
  const isRoot = process.geteuid?.() === 0;
  return {
    isLinux,
    isRoot,
    hasOwnMounts: isLinux && isRoot && namespaceOf('self') !== namespaceOf(String(process.ppid)),
    bwrap: isLinux ? firstOf(['/usr/bin/bwrap', '/usr/local/bin/bwrap', '/bin/bwrap']) : null,
    setpriv: isLinux ? firstOf(['/usr/bin/setpriv', '/bin/setpriv']) : null,
    unshare: isLinux ? firstOf(['/usr/bin/unshare', '/bin/unshare']) : null,
  };
}

function firstOf(paths: readonly string[]): string | null {
  return paths.find((path) => existsSync(path)) ?? null;
}

function namespaceOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return 'unknown';
  }
}
