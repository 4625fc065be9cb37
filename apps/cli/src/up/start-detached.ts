import { spawn } from 'node:child_process';
import { mkdirSync, openSync, closeSync } from 'node:fs';
import path from 'node:path';

export interface Detached {
  readonly pid: number;
  /** Resolves when it ends while this program still looks. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** From now on this program may end before it. */
  leave(): void;
}

/** Starts a program that outlives this one, with its standard output and error appended to a log. */
export function startDetached(
  argv: readonly string[],
  log: string,
  environment: Readonly<Record<string, string>>,
): Detached {
  mkdirSync(path.dirname(log), { recursive: true, mode: 0o700 });
  const descriptor = openSync(log, 'a', 0o600);
  try {
    const child = spawn(argv[0] ?? '', argv.slice(1), {
      env: { ...environment },
      cwd: '/',
      stdio: ['ignore', descriptor, descriptor],
      detached: true,
    });
    const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    ended.catch(() => undefined);
    return { pid: child.pid ?? 0, ended, leave: () => child.unref() };
  } finally {
    closeSync(descriptor);
  }
}
