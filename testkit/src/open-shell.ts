import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { bringPrograms } from '../../scripts/build/bring-programs.ts';

export interface Ended {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface WritCall {
  readonly input?: string;
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Hears what it writes, while it runs. */
  readonly onStdout?: (text: string) => void;
}

/** Somebody at a shell with a home of their own. */
export interface Shell {
  readonly home: string;
  /** What `XDG_CONFIG_HOME` is for them. */
  readonly configuration: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The file that `writ` is. */
  readonly program: string;
  /** Runs `writ` of this checkout to its end, however it ends. */
  writ(argv: readonly string[], call?: WritCall): Promise<Ended>;
  /** As `writ`, and answers stdout. @throws Error with stderr when it ends with anything but 0. */
  must(argv: readonly string[], call?: WritCall): Promise<string>;
}

/** The programs of this checkout as they are published: they start in less time than their sources. */
export const PROGRAMS = await bringPrograms(fileURLToPath(new URL('../..', import.meta.url)));
export const WRIT_PROGRAM = join(PROGRAMS, 'cli.js');
const MOST_MS = 120_000;

/** @param program of which checkout: this one, when left out. */
export function openShell(home: string, program: string = WRIT_PROGRAM): Shell {
  const configuration = join(home, 'config');
  for (const folder of [home, configuration]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const compiled = process.env['NODE_COMPILE_CACHE'];
  const environment: Record<string, string> = {
    PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: home,
    XDG_CONFIG_HOME: configuration,
    XDG_STATE_HOME: join(home, 'state'),
    WRIT_NO_INPUT: '1',
    NO_COLOR: '1',
    ...(compiled === undefined ? {} : { NODE_COMPILE_CACHE: compiled }),
  };
  const writ = (argv: readonly string[], call: WritCall = {}): Promise<Ended> =>
    run([program, ...argv], call, home, environment);
  return {
    home,
    configuration,
    environment,
    program,
    writ,
    async must(argv, call) {
      const ended = await writ(argv, call);
      if (ended.exitCode === 0) return ended.stdout;
      throw new Error(`writ ${argv.join(' ')} ended with ${ended.exitCode}\n${ended.stderr.trim()}`);
    },
  };
}

async function run(
  line: readonly string[],
  call: WritCall,
  home: string,
  environment: Readonly<Record<string, string>>,
): Promise<Ended> {
  const child = spawn(process.execPath, line, {
    cwd: call.cwd ?? home,
    env: { ...environment, ...call.environment },
    stdio: 'pipe',
    timeout: MOST_MS,
    killSignal: 'SIGKILL',
    ...(call.signal ? { signal: call.signal } : {}),
  });
  const exitCode = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  child.stdin.on('error', () => {});
  child.stdin.end(call.input ?? '');
  const { onStdout } = call;
  if (onStdout) child.stdout.setEncoding('utf8').on('data', onStdout);
  const [code, stdout, stderr] = await Promise.all([exitCode, text(child.stdout), text(child.stderr)]);
  return { exitCode: code, stdout, stderr };
}
