import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Duplex } from 'node:stream';

export interface LauncherStart {
  readonly node: string;
  /** The launcher's program: `apps/agent/src/launcher/main.ts`, or its bundle. */
  readonly entry: string;
  readonly ownerFile: string;
  /** Descriptor of the log; standard error of this program when null. */
  readonly log: number | null;
}

export interface LauncherStarted {
  readonly process: ChildProcess;
  /** To be passed on to the agent as its descriptor 3. Whoever holds it last and closes it ends every job. */
  readonly socket: Duplex;
}

// The socket becomes standard input and output, so that the launcher needs no network module to speak through it. With
// root it gets a mount namespace of its own; in a container that may make none it goes on without, and measures that.
const line = `exec 0<&3 1>&3 3>&-
if [ "$1" = root ] && unshare --mount --propagation private true 2>/dev/null; then
  shift
  exec unshare --mount --propagation private "$@"
fi
shift
exec "$@"`;

/** What starts a launcher whose socket is descriptor 3. */
export function launcherLine(start: Omit<LauncherStart, 'log'>, asRoot: boolean): string[] {
  const who = asRoot ? 'root' : 'caller';
  return ['/bin/sh', '-c', line, 'writ-launcher', who, start.node, start.entry, start.ownerFile];
}

export function startLauncher(start: LauncherStart): LauncherStarted {
  const argv = launcherLine(start, process.platform === 'linux' && process.geteuid?.() === 0);
  const launcher = spawn(argv[0] ?? '', argv.slice(1), {
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    stdio: ['ignore', 'ignore', start.log ?? 'inherit', 'pipe'],
  });
  return { process: launcher, socket: launcher.stdio[3] as Duplex };
}
