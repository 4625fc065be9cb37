import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { runProgram } from './run-program.ts';

/** Installs Debian's package where that is possible. @returns whether the program is there. */
export async function bringProgram(
  program: string,
  packageName: string,
  say: (line: string) => void,
): Promise<boolean> {
  if (!isInstalled(program)) await install(packageName, say);
  return isInstalled(program);
}

async function install(name: string, say: (line: string) => void): Promise<void> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !isInstalled('apt-get')) return;
  say(`installing ${name}`);
  try {
    await runProgram(['apt-get', 'install', '-qq', '-y', '--no-install-recommends', name]);
  } catch (error) {
    say(`${name} could not be installed: ${(error as Error).message}`);
  }
}

function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
