import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

/** What a program writes to stdout. @throws Error with its stderr when it ends with anything but 0. */
export async function runProgram(argv: readonly [string, ...string[]], input = ''): Promise<string> {
  const child = spawn(argv[0], argv.slice(1), { stdio: 'pipe' });
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'nothing'));
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code, said, complained] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  if (code !== 0) throw new Error(`${argv[0]} ended with ${code}: ${complained.trim()}`);
  return said;
}
