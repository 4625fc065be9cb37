import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The programs as they are published, built when a source has changed since. A bundle starts several times as fast as
 * the sources, which have to be stripped of their types each time.
 *
 * @returns the folder that holds `cli.js` and the others.
 */
export async function bringPrograms(root: string): Promise<string> {
  const cache = join(root, 'node_modules', '.cache', 'writ');
  const state = stateOfSources(root);
  const folder = join(cache, state);
  if (existsSync(folder)) {
    utimesSync(folder, new Date(), new Date());
    return folder;
  }
  const { buildPackage } = await import('./build-package.ts');
  const half = join(cache, `${state}.${process.pid}`);
  mkdirSync(cache, { recursive: true });
  await buildPackage(root, half);
  try {
    renameSync(half, folder);
  } catch (error) {
    // Somebody else was quicker.
    rmSync(half, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  removeOld(cache, state);
  return folder;
}

const SOURCES = ['packages', 'apps', 'package-lock.json', 'package.json'];

function stateOfSources(root: string): string {
  const hash = createHash('sha256');
  for (const source of SOURCES) addFile(root, source, (line) => hash.update(line));
  return hash.digest('hex').slice(0, 16);
}

function addFile(root: string, path: string, add: (line: string) => void): void {
  const found = statSync(join(root, path));
  if (!found.isDirectory()) return add(`${path} ${found.size} ${found.mtimeMs}\n`);
  for (const name of readdirSync(join(root, path)).toSorted())
    if (name !== 'node_modules' && !name.endsWith('.test.ts')) addFile(root, join(path, name), add);
}

/** What was used an hour ago may still be running from its folder; what was not used since yesterday, hardly. */
function removeOld(cache: string, present: string): void {
  const yesterday = Date.now() - 86_400_000;
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    if (name !== present && statSync(path).mtimeMs < yesterday)
      rmSync(path, { recursive: true, force: true });
  }
}
