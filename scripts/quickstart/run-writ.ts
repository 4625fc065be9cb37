import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { text } from 'node:stream/consumers';

/** Somebody at a shell: their own configuration, and the command `writ`. */
export interface Shell {
  /** @returns what it wrote to stdout. @throws Error with its stderr when it ends with anything but 0. */
  writ(argv: readonly string[], input?: string): Promise<string>;
  /** What `XDG_CONFIG_HOME` is for them. */
  readonly configuration: string;
}

/** @param program the command's file. */
export function openShell(
  program: string,
  home: string,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Shell {
  const configuration = join(home, 'config');
  const own = { HOME: home, XDG_CONFIG_HOME: configuration, XDG_STATE_HOME: join(home, 'state') };
  const env: NodeJS.ProcessEnv = { ...environment, ...own, WRIT_NO_INPUT: '1', NO_COLOR: '1' };
  // A context or token of the person who starts the quickstart is not for these.
  delete env['WRIT_CONTEXT'];
  delete env['WRIT_TOKEN'];
  for (const folder of [home, configuration]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  return {
    configuration,
    async writ(argv, input = '') {
      const child = spawn(process.execPath, [program, ...argv], { cwd: home, env, stdio: 'pipe', signal });
      const ended = new Promise<number | string>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', (code, killed) => resolve(code ?? killed ?? 'nothing'));
      });
      child.stdin.on('error', () => {});
      child.stdin.end(input);
      const [code, said, complained] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
      if (code !== 0) throw new Error(`writ ${argv[0]} ended with ${code}\n${complained.trim()}`);
      return said;
    },
  };
}
