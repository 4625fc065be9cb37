import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Shell } from './run-writ.ts';
import { AGENTS, agentFolder, serverFolder } from './start-writ.ts';

export const FOLDER_PREFIX = 'writ-quickstart-';

/**
 * Stops agents and server, and removes what they wrote.
 * @returns what did not stop by being told to, and was killed.
 */
export async function stopWrit(shell: Shell, folder: string): Promise<string[]> {
  if (!basename(folder).startsWith(FOLDER_PREFIX) || dirname(folder) === folder) {
    throw new Error(`${folder} is not a folder of a quickstart`);
  }
  // What never started has no folder, and what does not stop is killed below.
  const down = async (dir: string): Promise<void> => {
    if (existsSync(dir)) await shell.writ(['down', '--dir', dir]).catch(() => {});
  };
  await Promise.all(AGENTS.map((name) => down(agentFolder(folder, name))));
  await down(serverFolder(folder));
  const left = await killWhatIsLeft(folder);
  rmSync(folder, { recursive: true, force: true });
  return left;
}

const LONGEST = 160;

async function killWhatIsLeft(folder: string): Promise<string[]> {
  let left = processesOf(folder);
  for (let tries = 0; left.length > 0 && tries < 20; tries += 1) {
    await sleep(100);
    left = processesOf(folder);
  }
  for (const { pid } of left) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended meanwhile.
    }
  }
  return left.map(({ line }) => (line.length > LONGEST ? `${line.slice(0, LONGEST)} …` : line));
}

/** The folder's name is unique: whoever has it on the command line was started by this quickstart. */
function processesOf(folder: string): { pid: number; line: string }[] {
  if (!existsSync('/proc/self/cmdline')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      try {
        const line = readFileSync(join('/proc', name, 'cmdline'), 'utf8')
          .replaceAll('\0', ' ')
          .trim();
        const isOurs = line.includes(`${folder}/`) && !line.includes('--stop');
        return isOurs ? [{ pid: Number(name), line }] : [];
      } catch {
        return [];
      }
    });
}
