import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bringProgram } from './bring-program.ts';

/**
 * How often a process had the disk confirm what it wrote, while `work` was done: seen from outside, whatever it says of
 * itself. @returns undefined where strace is not to be had.
 */
export async function countSyncs(
  pid: number,
  work: () => Promise<unknown>,
  say: (line: string) => void,
): Promise<number | undefined> {
  if (!(await bringProgram('strace', 'strace', say))) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'writ-syncs-'));
  const seen = join(folder, 'seen');
  const strace = spawn('strace', ['-f', '-e', 'trace=fsync,fdatasync', '-o', seen, '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(strace, 'exit');
  try {
    // It says so when it has attached, or why it cannot.
    const said = String(((await once(strace.stderr, 'data')) as [Buffer])[0]);
    if (!said.includes('attached')) throw new Error(said.trim());
    await work();
    strace.kill('SIGINT');
    await ended;
    return readFileSync(seen, 'utf8')
      .split('\n')
      .filter((line) => /\b(fsync|fdatasync)\(.*= 0$/.test(line)).length;
  } finally {
    strace.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
}
