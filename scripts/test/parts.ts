import process from 'node:process';
import type { Suite } from './run-suite.ts';

export type Gate = { readonly name: string; readonly argv: readonly [string, ...string[]] };

const node = process.execPath;

/** What must hold of the tree; each counts as one test. */
export const GATES: readonly Gate[] = [
  { name: 'format', argv: [node, 'scripts/gates/format.ts'] },
  { name: 'lint', argv: [node, 'scripts/gates/lint.ts'] },
  { name: 'types', argv: [node, 'scripts/gates/types.ts'] },
  { name: 'imports', argv: [node, 'scripts/gates/imports.ts'] },
  { name: 'powers', argv: [node, 'scripts/gates/powers.ts'] },
  { name: 'dead code', argv: [node, 'scripts/gates/dead-code.ts'] },
  { name: 'surface', argv: [node, 'scripts/gates/surface.ts'] },
];

export const SUITES: readonly Suite[] = [
  { name: 'house', globs: ['scripts/**/*.test.ts'], concurrency: 2, minutes: 10 },
  {
    name: 'unit',
    globs: ['packages/**/*.test.ts', 'apps/**/*.test.ts', 'testkit/**/*.test.ts', 'bench/**/*.test.ts'],
    concurrency: 3,
    minutes: 15,
  },
  { name: 'e2e', globs: ['e2e/**/*.test.ts'], concurrency: 2, minutes: 25 },
];

/** The documents against the tree and the programs; run last, because they start programs. */
export const DOCS: readonly Gate[] = [
  { name: 'docs: paths', argv: [node, 'scripts/docs/paths.ts'] },
  { name: 'docs: programs', argv: [node, 'scripts/docs/programs.ts'] },
  page('getting started', 'docs/getting-started.md'),
  page('install and upgrade', 'docs/install-and-upgrade.md'),
];

/** Every command of a page, typed into a shell. */
function page(name: string, file: string): Gate {
  return { name: `docs: ${name}`, argv: [node, 'scripts/docs/run-console-blocks.ts', file] };
}
