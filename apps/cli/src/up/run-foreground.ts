import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Foreground {
  /** True when it ended well, or because it was asked to. */
  readonly ended: Promise<boolean>;
  stop(): void;
}

/** Runs a program with this one's output. */
export function runForeground(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
): Foreground {
  const child = spawn(argv[0] ?? '', argv.slice(1), {
    env: { ...environment },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  let isStopping = false;
  return {
    ended: new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => resolve(code === 0 || isStopping));
    }),
    stop() {
      isStopping = true;
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      for (const pid of insideOf(child.pid)) process.kill(pid, 'SIGTERM');
    },
  };
}

/** bwrap does not pass signals on: the program is its only child. */
function insideOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'bwrap' && children !== '')
      return children.split(' ').map(Number);
  } catch {
    // not on Linux, or just ended
  }
  return [pid];
}
