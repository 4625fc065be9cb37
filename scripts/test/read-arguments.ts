import { parseArgs } from 'node:util';

export const PARTS = ['gates', 'house', 'unit', 'e2e', 'docs'] as const;
export type Part = (typeof PARTS)[number];

export type Wanted = {
  readonly parts: readonly Part[];
  /** Only test files whose path contains one of these; empty means all. */
  readonly paths: readonly string[];
  readonly root: string | undefined;
};

/** Reads `npm test -- [--only PART[,PART]] [PATH …]`. */
export function readArguments(argv: readonly string[]): Wanted {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { only: { type: 'string', multiple: true }, root: { type: 'string' } },
  });
  const only = (values.only ?? []).flatMap((text) => text.split(','));
  const unknown = only.filter((name) => !isPart(name));
  if (unknown.length > 0) {
    throw new Error(`there is no part ${unknown.join(', ')}; the parts are ${PARTS.join(', ')}`);
  }
  const parts = PARTS.filter((part) => only.length === 0 || only.includes(part));
  // A path names test files; the gates read the whole tree.
  const withFiles = parts.filter((part) => part !== 'gates' && part !== 'docs');
  return { parts: positionals.length > 0 ? withFiles : parts, paths: positionals, root: values.root };
}

function isPart(name: string): name is Part {
  return (PARTS as readonly string[]).includes(name);
}
