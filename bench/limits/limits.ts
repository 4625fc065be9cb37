import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../run-program.ts';

export interface SpawnResult {
  readonly perSecond: number;
  /** Of the loop and of everything it started. */
  readonly cpuMsPerJob: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface SpawnWish {
  readonly slots: number;
  readonly jobs: number;
  /** Whether each start's stdout and stderr go to files of their own. */
  readonly isCaptured: boolean;
  /** Milliseconds of nothing before each start; none when left out. */
  readonly restMs?: number;
  readonly argv: readonly [string, ...string[]];
}

/** What this machine can do at all, measured by programs that do nothing else. */
export interface Limits {
  spawn(wish: SpawnWish): Promise<SpawnResult>;
  /** Milliseconds for one append of so many bytes and its fdatasync, each after a rest, in the folder where Writ keeps its state. */
  commit(
    times: number,
    bytes: number,
    restMs: number,
  ): Promise<{ readonly p50Ms: number; readonly p99Ms: number }>;
}

/** @throws Error naming what to install when this machine has no C compiler. */
export function compileLimits(folder: string): Limits {
  const compiled = (name: string): string => {
    const program = join(folder, name);
    const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
    execFileSync('cc', ['-O2', '-Wall', '-o', program, source], { stdio: ['ignore', 'pipe', 'pipe'] });
    return program;
  };
  let spawnLoop: string;
  let appendLoop: string;
  try {
    spawnLoop = compiled('spawn-loop');
    appendLoop = compiled('append-loop');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw new Error(
      'There is no C compiler (cc) on this machine, and every figure here is a ratio to a limit written in C. On Debian: apt-get install gcc libc6-dev',
      { cause },
    );
  }
  return {
    async spawn({ slots, jobs, isCaptured, argv, restMs = 0 }) {
      const captured = isCaptured ? mkdtempSync(join(folder, 'captured-')) : undefined;
      try {
        const said = await runProgram([
          spawnLoop,
          ...[slots, jobs, restMs].map(String),
          captured ?? '-',
          ...argv,
        ]);
        const result = JSON.parse(said) as Record<'wallMs' | 'cpuMs' | 'failed' | 'p50Ms' | 'p99Ms', number>;
        if (result.failed > 0) throw new Error(`${result.failed} of ${jobs} starts of ${argv[0]} failed`);
        return {
          perSecond: (jobs * 1000) / result.wallMs,
          cpuMsPerJob: result.cpuMs / jobs,
          p50Ms: result.p50Ms,
          p99Ms: result.p99Ms,
        };
      } finally {
        if (captured) rmSync(captured, { recursive: true });
      }
    },
    async commit(times, bytes, restMs) {
      const place = join(folder, 'appended');
      mkdirSync(place, { recursive: true });
      const file = join(place, 'file');
      try {
        return JSON.parse(await runProgram([appendLoop, file, ...[times, bytes, restMs].map(String)])) as {
          p50Ms: number;
          p99Ms: number;
        };
      } finally {
        rmSync(place, { recursive: true });
      }
    },
  };
}
