import { readFileSync, readdirSync, rmdirSync } from 'node:fs';

export function processesIn(folder: string): number[] {
  try {
    const text = readFileSync(`${folder}/cgroup.procs`, 'latin1').trim();
    return text === '' ? [] : text.split('\n').map(Number);
  } catch {
    return [];
  }
}

export function removeFolder(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

/** Kills what an earlier launcher of this agent left in its cgroups, then takes the folders away. */
export function removeTree(folder: string): void {
  let below: string[];
  try {
    below = readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch {
    return;
  }
  for (const name of below) removeTree(`${folder}/${name}`);
  for (const pid of processesIn(folder)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  removeFolder(folder);
}
