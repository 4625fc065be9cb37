import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram } from './run-program.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * A copy of the programs in which a prelude runs before each does: the programs themselves need no door for that.
 * @returns the file that `writ` is in the copy.
 */
export async function copyCheckout(
  folder: string,
  preludes: Readonly<Partial<Record<'server' | 'agent', string>>>,
  changes: readonly Change[] = [],
): Promise<string> {
  mkdirSync(folder, { recursive: true });
  // Hard links: hundreds of megabytes that nobody writes to.
  await runProgram(['cp', '-al', join(ROOT, 'node_modules'), join(folder, 'node_modules')]);
  for (const part of ['apps', 'packages', 'package.json']) {
    cpSync(join(ROOT, part), join(folder, part), { recursive: true, verbatimSymlinks: true });
  }
  for (const [app, prelude] of Object.entries(preludes)) insert(join(folder, 'apps', app, 'src'), prelude);
  for (const change of changes) make(folder, change);
  return join(folder, 'apps', 'cli', 'src', 'main.ts');
}

/** One place in a source file that is another in the copy. */
export interface Change {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** @throws Error when the place is not there any more: the figure would be one of an unchanged program. */
function make(folder: string, { file, from, to }: Change): void {
  const path = join(folder, file);
  const parts = readFileSync(path, 'utf8').split(from);
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} places that say ${from}, not one`);
  writeFileSync(path, parts.join(to));
}

/** Imports are carried out before everything else, wherever they stand. */
function insert(source: string, prelude: string): void {
  const main = join(source, 'main.ts');
  writeFileSync(main, `if (import.meta.main) {${prelude}}\n${readFileSync(main, 'utf8')}`);
}

/** A gibibyte of objects that stay alive. */
export const BALLAST = `
  const ballast = [];
  for (let at = 0; at < 1_150_000; at += 1) ballast.push({ at, numbers: new Array(110).fill(at + 0.5) });
  globalThis.ballast = ballast;
`;
