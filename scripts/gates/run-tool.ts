import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const installed = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'node_modules');

/**
 * Runs a tool of this checkout on the current folder and ends with its exit code, or with 1 when its output says that
 * it read no file (`filesRead`) or holds one of the `faults` that it does not count itself.
 */
export function runTool(
  script: string,
  argv: readonly string[],
  look: { filesRead?: RegExp; faults?: RegExp } = {},
): void {
  const ended = spawnSync(process.execPath, [join(installed, script), ...argv], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (ended.error) throw ended.error;
  const output = `${ended.stdout}${ended.stderr}`;
  process.stdout.write(output);
  process.exitCode = ended.status ?? 1;
  if (look.faults?.test(output)) process.exitCode = 1;
  if (look.filesRead === undefined) return;
  const count = look.filesRead.exec(output)?.[1];
  if (count !== undefined && Number(count) > 0) return;
  process.stdout.write(`${script} read no file\n`);
  process.exitCode = 1;
}
