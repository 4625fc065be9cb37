import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Surface } from './describe-surface.ts';

/** Where the surface is committed, for a reader to see what a change does to it. */
export const SURFACE_FOLDER = 'packages/client/surface';

/** What is wrong with a surface, or other than what is committed. */
export function compareSurface(root: string, surfaces: readonly Surface[]): string[] {
  return surfaces.flatMap(({ file, report, complaints }) => {
    const path = join(SURFACE_FOLDER, file);
    const committed = existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : '';
    return committed === report ? complaints : [...complaints, difference(path, committed, report)];
  });
}

function difference(path: string, before: string, now: string): string {
  const had = new Set(before.split('\n'));
  const has = new Set(now.split('\n'));
  const lines = [
    ...[...had].filter((line) => !has.has(line)).map((line) => `  - ${line}`),
    ...[...has].filter((line) => !had.has(line)).map((line) => `  + ${line}`),
  ];
  return [
    `${path} is not the surface of the sources. If the change is meant: node scripts/gates/surface.ts --write`,
    ...lines.slice(0, 40),
  ].join('\n');
}
