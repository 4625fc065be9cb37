import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cruise, type IModule, type IReporterOutput } from 'dependency-cruiser';
import { IMPORT_RULES, REACH_RULES } from './import-rules.ts';

const FOLDERS = ['packages', 'apps', 'testkit', 'e2e', 'bench', 'scripts', 'examples'];

export type Violation = { readonly rule: string; readonly where: string; readonly comment: string };

/** Looks at every import below `root`. A rule that applies to no file there is a violation too. */
export async function checkImports(root: string): Promise<{ read: number; violations: Violation[] }> {
  const folders = FOLDERS.filter((folder) => existsSync(join(root, folder)));
  const report = await cruise(
    folders,
    {
      baseDir: root,
      validate: true,
      ruleSet: { forbidden: [...IMPORT_RULES] },
      doNotFollow: { path: 'node_modules' },
      // Not `exclude`: that would hide the edges too, and with them what the rules are for.
      tsPreCompilationDeps: true,
      enhancedResolveOptions: {
        exportsFields: ['exports'],
        conditionNames: ['import', 'node', 'default'],
        extensions: ['.ts', '.mts', '.js', '.mjs', '.cjs', '.json'],
      },
    },
    { symlinks: true },
  );
  const { modules, summary } = asResult(report);
  const sources = modules.filter(
    (module) => /^[^.].*\.m?ts$/.test(module.source) && module.followable !== false,
  );
  const own = sources.filter((module) => !module.source.includes('node_modules'));
  const violations = [
    ...summary.violations.map((violation) => ({
      rule: violation.rule.name,
      where: violation.from === violation.to ? violation.from : `${violation.from} → ${violation.to}`,
      comment: violation.comment ?? commentOf(violation.rule.name),
    })),
    ...findReach(own, modules),
    ...findCrowdedFiles(own),
    ...findBarrels(own, root),
    ...findIdleRules(own),
  ];
  return { read: own.length, violations };
}

function asResult(report: IReporterOutput): Exclude<IReporterOutput['output'], string> {
  if (typeof report.output === 'string')
    throw new Error(`dependency-cruiser answered with text: ${report.output}`);
  return report.output;
}

function commentOf(name: string): string {
  return IMPORT_RULES.find((rule) => rule.name === name)?.comment ?? '';
}

function findReach(own: readonly IModule[], modules: readonly IModule[]): Violation[] {
  const bySource = new Map(modules.map((module) => [module.source, module]));
  return REACH_RULES.flatMap((rule) =>
    own
      .filter((module) => rule.from.test(module.source))
      .flatMap((module) => {
        const way = findWay(module, bySource, rule.to);
        return way ? [{ rule: rule.name, where: way.join(' → '), comment: rule.comment }] : [];
      }),
  );
}

function findWay(start: IModule, bySource: ReadonlyMap<string, IModule>, to: RegExp): string[] | undefined {
  const cameFrom = new Map<string, string | undefined>([[start.source, undefined]]);
  for (const source of cameFrom.keys()) {
    for (const dependency of bySource.get(source)?.dependencies ?? []) {
      if (dependency.dependencyTypes.includes('type-only') || cameFrom.has(dependency.resolved)) continue;
      cameFrom.set(dependency.resolved, source);
      if (!to.test(dependency.resolved)) continue;
      const way: string[] = [];
      for (let at: string | undefined = dependency.resolved; at; at = cameFrom.get(at)) way.unshift(at);
      return way;
    }
  }
  return undefined;
}

// A file beside compose.ts that uses several features is a second compose.ts.
function findCrowdedFiles(own: readonly IModule[]): Violation[] {
  return own.flatMap((module) => {
    const app = /^(apps\/[^/]+\/src)\/[^/]+\.ts$/.exec(module.source)?.[1];
    if (!app || /(^|\/)(main|compose)\.ts$|\.test\.ts$/.test(module.source)) return [];
    const features = new Set(
      module.dependencies
        .filter(({ dependencyTypes }) => !dependencyTypes.includes('type-only'))
        .flatMap(({ resolved }) => featureOf(resolved, app) ?? []),
    );
    if (features.size < 2) return [];
    const comment = 'Only main.ts and compose.ts put features together.';
    return [
      { rule: 'features-meet-in-compose', where: `${module.source} → ${[...features].join(', ')}`, comment },
    ];
  });
}

function featureOf(path: string, app: string): string | undefined {
  return new RegExp(`^${app}/([^/]+)/`).exec(path)?.[1];
}

function findBarrels(own: readonly IModule[], root: string): Violation[] {
  return own.flatMap((module) => {
    const found = /^((?:packages|apps)\/[^/]+|testkit)\/(.*\bindex\.ts)$/.exec(module.source);
    const [, folder, file] = found ?? [];
    if (folder === undefined || file === undefined) return [];
    const manifest = readFileSync(join(root, folder, 'package.json'), 'utf8');
    const { exports } = JSON.parse(manifest) as { exports?: Record<string, string> };
    if (Object.values(exports ?? {}).includes(`./${file}`)) return [];
    const comment =
      'An index.ts is the entry of a package, named in its exports; inside a package, import the file.';
    return [{ rule: 'no-barrel', where: module.source, comment }];
  });
}

// A rule whose files were renamed passes for ever.
function findIdleRules(own: readonly IModule[]): Violation[] {
  const applies = (path: string | RegExp, pathNot: readonly string[]): boolean =>
    own.some(
      ({ source }) => new RegExp(path).test(source) && !pathNot.some((not) => new RegExp(not).test(source)),
    );
  const comment = 'The rule reads no file. Correct its path, or remove the rule with what it was about.';
  const idle = [
    ...IMPORT_RULES.filter(({ from }) => !applies(asOne(from.path), asList(from.pathNot))),
    ...REACH_RULES.filter(({ from }) => !applies(from, [])),
  ];
  return idle.map((rule) => ({ rule: rule.name ?? '', where: 'reads 0 files', comment }));
}

function asList(path: string | string[] | undefined): string[] {
  return path === undefined ? [] : [path].flat();
}

function asOne(path: string | string[] | undefined): string {
  return asList(path).join('|');
}
