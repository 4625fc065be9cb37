import { chmodSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { build, type BuildOptions, type Metafile } from 'esbuild';
import { DECLARED, declareClient } from '../surface/declare-client.ts';
import { licencesOf } from './licences-of.ts';
import { readManifest } from './read-manifest.ts';
import { writeForAll } from './write-for-all.ts';

/** Not bundled: their types stand in the client's own, and who installs it gets their corrections. */
const DEPENDENCIES = { typebox: 'packages/contract', undici: 'packages/client' } as const;

/**
 * Writes the package `@writ/client`: the packages of this workspace inside, for Node with two dependencies, for browsers
 * as one file with none, and the declarations of everything.
 *
 * @param version what the package calls itself: the workspace's own, when left out.
 */
export async function buildClient(
  root: string,
  folder: string,
  version: string = readManifest(root).version,
): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  const entries = { index: `${DECLARED['@writ/client']}.ts`, node: `${DECLARED['@writ/client/node']}.ts` };
  const inputs = [
    await bundle(root, folder, {
      entryPoints: entries,
      platform: 'node',
      target: 'node24',
      // Both entries share what they have in common: an error of one is an error of the other.
      splitting: true,
      chunkNames: 'shared-[hash]',
      external: Object.keys(DEPENDENCIES).flatMap((name) => [name, `${name}/*`]),
    }),
    await bundle(root, folder, {
      entryPoints: { browser: entries.index },
      platform: 'browser',
      target: 'es2024',
      conditions: ['browser'],
    }),
  ];
  await writeTypes(root, folder);
  writeForAll(folder, 'package.json', `${JSON.stringify(manifest(root, version), null, 2)}\n`);
  writeForAll(folder, 'LICENSE', readFileSync(join(root, 'LICENSE'), 'utf8'));
  writeForAll(folder, 'README.md', readFileSync(join(root, 'packages', 'client', 'README.md'), 'utf8'));
  writeForAll(folder, 'LICENSES-OF-OTHERS', licencesOf(root, inputs));
}

async function bundle(root: string, folder: string, how: BuildOptions): Promise<Metafile['inputs']> {
  const { metafile } = await build({
    absWorkingDir: root,
    outdir: folder,
    bundle: true,
    format: 'esm',
    legalComments: 'none',
    logLevel: 'error',
    metafile: true,
    ...how,
  });
  for (const path of Object.keys(metafile?.outputs ?? {})) chmodSync(join(root, path), 0o644);
  return metafile?.inputs ?? {};
}

/** The declarations as they are, each beside its own; only where they lie is written anew. */
async function writeTypes(root: string, folder: string): Promise<void> {
  const declared = mkdtempSync(join(tmpdir(), 'writ-types-'));
  try {
    await declareClient(root, declared);
    for (const file of globSync('packages/*/src/**/*.d.ts', { cwd: declared }))
      writeForAll(folder, placeOf(file), relocate(readFileSync(join(declared, file), 'utf8'), file));
  } finally {
    rmSync(declared, { recursive: true, force: true });
  }
}

/** What the manifest of a package names within it. */
const INSIDE: Readonly<Record<string, string>> = { '#primitives': 'packages/trust/src/primitives/node' };

const placeOf = (file: string): string => file.replace(/^packages\/([^/]+)\/src\//, 'types/$1/');

function relocate(text: string, file: string): string {
  return text
    .replaceAll(/(['"])(\.\.?\/[^'"]+)\.ts\1/g, '$1$2.js$1')
    .replaceAll(/(['"])((?:@writ\/|#)[^'"]+)\1/g, (all, quote: string, name: string) => {
      const entry = { ...DECLARED, ...INSIDE }[name];
      if (entry === undefined) throw new Error(`${file} names ${all}, which is not part of the client`);
      const path = relative(dirname(placeOf(file)), placeOf(`${entry}.js`));
      return `${quote}${path.startsWith('.') ? path : `./${path}`}${quote}`;
    });
}

function manifest(root: string, version: string): object {
  const { license } = readManifest(root);
  const dependencies = Object.entries(DEPENDENCIES).map(([name, workspace]) => {
    const exact = readManifest(root, workspace).dependencies?.[name];
    if (exact === undefined) throw new Error(`${workspace} does not say which ${name} it needs`);
    return [name, exact] as const;
  });
  return {
    name: '@writ/client',
    version,
    description: 'Submit jobs to Writ, follow them, and verify what came out',
    license,
    type: 'module',
    engines: { node: '>=24' },
    sideEffects: false,
    exports: {
      '.': { types: './types/client/index.d.ts', browser: './browser.js', default: './index.js' },
      './node': { types: './types/client/node/index.d.ts', default: './node.js' },
      './browser.js': { types: './types/client/index.d.ts', default: './browser.js' },
    },
    dependencies: Object.fromEntries(dependencies),
    files: ['*.js', 'types', 'LICENSES-OF-OTHERS'],
  };
}
