import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPowers } from './find-powers.ts';
import { POWER_RULES, type PowerRule } from './power-rules.ts';

export type Violation = { readonly power: string; readonly where: string; readonly comment: string };

/** Looks at every program file below `root`. A rule whose place is empty is a violation too. */
export function checkPowers(root: string): { read: number; violations: Violation[] } {
  const paths = globSync(['packages/*/src/**/*.ts', 'apps/*/src/**/*.ts'], { cwd: root })
    .filter((path) => !/\.test\.ts$|\/(testing|node_modules)\//.test(path))
    .toSorted();
  const violations = [
    ...paths.flatMap((path) => checkFile(path, readFileSync(join(root, path), 'utf8'))),
    ...POWER_RULES.flatMap((rule) => findEmptyPlaces(rule, paths)),
  ];
  return { read: paths.length, violations };
}

function checkFile(path: string, text: string): Violation[] {
  return findPowers(path, text).flatMap((use) =>
    POWER_RULES.filter((rule) => rule.power === use.power && isBanned(rule, path)).map((rule) => ({
      power: use.power,
      where: `${path}:${use.line}: ${use.text}`,
      comment: rule.comment,
    })),
  );
}

function isBanned(rule: PowerRule, path: string): boolean {
  return rule.within.some((place) => place.test(path)) && !rule.except.some((place) => place.test(path));
}

// A place that was renamed is watched no longer.
function findEmptyPlaces(rule: PowerRule, paths: readonly string[]): Violation[] {
  return rule.within
    .filter((place) => !paths.some((path) => place.test(path)))
    .map((place) => ({
      power: rule.power,
      where: `${place.source} reads 0 files`,
      comment: 'Correct the place in power-rules.ts.',
    }));
}
