import { spawnSync } from 'node:child_process';
import { existsSync, readlinkSync } from 'node:fs';

/** What this launcher may do here; found out by looking, told to nobody who could change it. */
export interface Machine {
  readonly isLinux: boolean;
  readonly isRoot: boolean;
  /** In a mount namespace apart from its parent's, so that what it mounts is seen by its own children only. */
  readonly hasOwnMounts: boolean;
  /** May put a slot's loop at the head of a process namespace, so that nothing outlives it. */
  readonly hasOwnProcesses: boolean;
  readonly bwrap: string | null;
  readonly setpriv: string | null;
  readonly unshare: string | null;
}

export function measureMachine(): Machine {
  const isLinux = process.platform === 'linux';
  const isRoot = process.geteuid?.() === 0;
  const hasOwnMounts = isLinux && isRoot && namespaceOf('self') !== namespaceOf(String(process.ppid));
  const unshare = isLinux ? firstOf(['/usr/bin/unshare', '/bin/unshare']) : null;
  const setpriv = isLinux ? firstOf(['/usr/bin/setpriv', '/bin/setpriv']) : null;
  return {
    isLinux,
    isRoot,
    hasOwnMounts,
    hasOwnProcesses: unshare !== null && setpriv !== null && (isRoot ? hasOwnMounts : mayUnshare(unshare)),
    bwrap: isLinux ? firstOf(['/usr/bin/bwrap', '/usr/local/bin/bwrap', '/bin/bwrap']) : null,
    setpriv,
    unshare,
  };
}

/** As a caller without rights: in a user namespace, with the same account inside. */
export const callersNamespaces = ['--user', '--map-current-user'];
export const loopNamespaces = [
  '--mount',
  '--propagation=slave',
  '--ipc',
  '--pid',
  '--fork',
  '--kill-child=KILL',
  '--mount-proc',
];

function mayUnshare(unshare: string): boolean {
  const tried = spawnSync(unshare, [...callersNamespaces, ...loopNamespaces, '/bin/true'], {
    env: {},
    stdio: 'ignore',
  });
  return tried.status === 0;
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
