import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { runProgram } from './run-program.ts';

/** A program and Debian's package that has it. */
export interface Program {
  readonly program: string;
  readonly package: string;
}

/** Installs Debian's package where that is possible. @returns whether the program is there. */
export async function bringProgram(
  program: string,
  packageName: string,
  say: (line: string) => void,
): Promise<boolean> {
  if (!isInstalled(program)) await install(packageName, say);
  return isInstalled(program);
}

let isListKnown = false;

async function install(name: string, say: (line: string) => void): Promise<void> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !isInstalled('apt-get')) return;
  say(`installing ${name}`);
  try {
    if (!isListKnown) await runProgram(['apt-get', 'update', '-qq']);
    isListKnown = true;
    const line = ['apt-get', 'install', '-qq', '-y', '--no-install-recommends', name] as const;
    await runProgram(['env', 'DEBIAN_FRONTEND=noninteractive', ...line]);
  } catch (error) {
    say(`${name} could not be installed: ${(error as Error).message}`);
  }
}

const isInstalled = (program: string): boolean => findProgram(program) !== undefined;

/** @returns its path. */
export function findProgram(program: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
