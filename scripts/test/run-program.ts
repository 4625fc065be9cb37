import { spawn } from 'node:child_process';
import process from 'node:process';

export type Ended = {
  readonly exitCode: number;
  readonly output: string;
  readonly timedOut: boolean;
};

/** Runs a program to its end, or kills it and everything it started once the time is up. */
export async function runProgram(
  argv: readonly [string, ...string[]],
  options: { cwd: string; minutes: number; onOutput?: (text: string) => void; env?: NodeJS.ProcessEnv },
): Promise<Ended> {
  const [file, ...rest] = argv;
  const child = spawn(file, rest, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  running.add(child.pid ?? 0);
  let output = '';
  const collect = (text: string): void => {
    output += text;
    options.onOutput?.(text);
  };
  child.stdout.setEncoding('utf8').on('data', collect);
  child.stderr.setEncoding('utf8').on('data', collect);
  let timedOut = false;
  const limit = setTimeout(() => {
    timedOut = true;
    killGroup(child.pid);
  }, options.minutes * 60_000);
  const exitCode = await new Promise<number>((resolve) => {
    child.on('error', (error) => {
      collect(`${file} could not be started: ${error.message}\n`);
      resolve(127);
    });
    // 'close' waits for every descendant that holds the pipes; one that outlives its parent is ended by the limit.
    child.on('close', (code) => resolve(code ?? 1));
  });
  clearTimeout(limit);
  running.delete(child.pid ?? 0);
  return { exitCode: timedOut ? 124 : exitCode, output, timedOut };
}

/** Ends what is still running; for the runner's own end by a signal. */
export function killAllRunning(): void {
  for (const pid of running) killGroup(pid);
}

const running = new Set<number>();

function killGroup(pid: number | undefined): void {
  if (!pid) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
