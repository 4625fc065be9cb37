import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export type Broken = { readonly where: string; readonly names: string };

/** Looks up every path, link and npm script that a document names. */
export function checkPaths(root: string): { documents: number; named: number; broken: Broken[] } {
  const documents = globSync(['*.md', '{docs,packages,apps,testkit,e2e,bench,examples,scripts}/**/*.md'], {
    cwd: root,
    exclude: (path) => path.includes('node_modules'),
  }).toSorted();
  const scripts = readScripts(root);
  const broken: Broken[] = [];
  let named = 0;
  for (const document of documents) {
    for (const { line, text } of readProse(readFileSync(join(root, document), 'utf8'))) {
      for (const claim of [...findPaths(text), ...findLinks(text, document), ...findScripts(text)]) {
        named += 1;
        const holds = claim.kind === 'script' ? scripts.has(claim.names) : exists(root, claim.names);
        if (!holds) broken.push({ where: `${document}:${line}`, names: claim.names });
      }
    }
  }
  return { documents: documents.length, named, broken };
}

type Claim = { readonly kind: 'path' | 'script'; readonly names: string };

const TOP = String.raw`(?:packages|apps|testkit|e2e|bench|examples|docs|scripts|\.ci|\.github)`;
const PATH = new RegExp(String.raw`^(?:${TOP}/[\w.@{},*/-]*|[A-Za-z.][\w.-]*\.(?:md|json|ts|mjs))$`);

function* readProse(text: string): Generator<{ line: number; text: string }> {
  let fenced = false;
  for (const [at, line] of text.split('\n').entries()) {
    if (/^\s*(```|~~~)/.test(line)) fenced = !fenced;
    // A block shows commands, output and trees; only its npm scripts are claims about this checkout.
    else yield { line: at + 1, text: fenced ? '' : line };
    if (fenced)
      for (const claim of line.match(/\bnpm (?:run [\w:-]+|test)\b/g) ?? [])
        yield { line: at + 1, text: `\`${claim}\`` };
  }
}

function findPaths(text: string): Claim[] {
  return inCode(text)
    .filter((code) => PATH.test(code))
    .map((names) => ({ kind: 'path', names }));
}

function findLinks(text: string, document: string): Claim[] {
  return [...text.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)]
    .map((match) => match[1] ?? '')
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => ({ kind: 'path', names: join(dirname(document), target) }));
}

function findScripts(text: string): Claim[] {
  return inCode(text).flatMap((code) => {
    const name = /^npm (?:run ([\w:-]+)|(test)\b)/.exec(code);
    return name ? [{ kind: 'script', names: name[1] ?? name[2] ?? '' } as const] : [];
  });
}

function inCode(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map((match) => (match[1] ?? '').trim());
}

function readScripts(root: string): Set<string> {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts?: object };
  return new Set(Object.keys(manifest.scripts ?? {}));
}

function exists(root: string, path: string): boolean {
  // A bare name speaks of a file wherever it is: "only compose.ts may …".
  if (!path.includes('/') && !existsSync(join(root, path))) return findAnywhere(root, path);
  return expandBraces(path).every((one) =>
    one.includes('*') ? globSync(one, { cwd: root }).length > 0 : existsSync(join(root, one)),
  );
}

function findAnywhere(root: string, name: string): boolean {
  const folders = '{packages,apps,testkit,e2e,bench,examples,docs,scripts}';
  return (
    globSync(`${folders}/**/${name}`, { cwd: root, exclude: (path) => path.includes('node_modules') })
      .length > 0
  );
}

function expandBraces(path: string): string[] {
  const [whole, inside] = /\{([^{}]*)\}/.exec(path) ?? [];
  if (whole === undefined || inside === undefined) return [path];
  return inside.split(',').flatMap((one) => expandBraces(path.replace(whole, one)));
}
