import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';
import { licencesOf } from './licences-of.ts';
import { readManifest } from './read-manifest.ts';
import { writeForAll } from './write-for-all.ts';

/** The programs of the published package, beside one another; each has files of its own for what it needs later or seldom. */
const PROGRAMS = {
  cli: 'apps/cli/src/main.ts',
  server: 'apps/server/src/main.ts',
  agent: 'apps/agent/src/main.ts',
  launcher: 'apps/agent/src/launcher/main.ts',
} as const;

// Some packages inside are CommonJS and ask for Node's modules by require.
const REQUIRE = `import { createRequire as _createRequire } from 'node:module';\nconst require = _createRequire(import.meta.url);`;

export type Built = {
  readonly folder: string;
  /** Bytes by program, with those of its files for later. */
  readonly files: Readonly<Record<string, number>>;
};

/**
 * Writes the package `writ`: bundles that need no other package, and no script runs when it is installed.
 *
 * @param version what the package and each of its programs call themselves: the workspace's own, when left out.
 */
export async function buildPackage(
  root: string,
  folder: string,
  version: string = readManifest(root).version,
): Promise<Built> {
  const missing = Object.values(PROGRAMS).filter((entry) => !existsSync(join(root, entry)));
  if (missing.length > 0) throw new Error(`cannot build the package: ${missing.join(', ')} is not there`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  // Whatever the umask: an account that only runs Writ must be able to read it.
  chmodSync(folder, 0o755);
  const files: Record<string, number> = {};
  const inputs: Metafile['inputs'][] = [];
  for (const [name, entry] of Object.entries(PROGRAMS)) {
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints: { [name]: entry },
      outdir: folder,
      bundle: true,
      // What is imported when it is needed is not read before: a program starts in half the time.
      splitting: true,
      chunkNames: `${name}-[hash]`,
      platform: 'node',
      // Less to read at each start; names stay, for the traces of errors.
      mainFields: ['module', 'main'],
      minifyWhitespace: true,
      minifySyntax: true,
      target: 'node24',
      format: 'esm',
      banner: { js: REQUIRE },
      plugins: [callThemselves(version), httpByRequire],
      legalComments: 'none',
      logLevel: 'error',
      metafile: true,
    });
    const outputs = Object.entries(metafile.outputs);
    for (const [path] of outputs) chmodSync(join(root, path), 0o644);
    if (name === 'cli') chmodSync(join(folder, 'cli.js'), 0o755);
    inputs.push(metafile.inputs);
    files[`${name}.js`] = outputs.reduce((sum, [, { bytes }]) => sum + bytes, 0);
  }
  writeForAll(folder, 'package.json', `${JSON.stringify(manifest(root, version), null, 2)}\n`);
  writeForAll(folder, 'LICENSE', readFileSync(join(root, 'LICENSE'), 'utf8'));
  writeForAll(folder, 'README.md', readFileSync(join(root, 'README.md'), 'utf8'));
  writeForAll(folder, 'LICENSES-OF-OTHERS', licencesOf(root, inputs));
  return { folder, files };
}

/** Imported as a module `node:http` brings all its exports, a WebSocket and the client behind it too: 40 ms of each start. */
const httpByRequire: Plugin = {
  name: 'http by require',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      kind === 'import-statement' ? { path: 'node:http', namespace: 'required' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'required' }, () => ({
      contents: `module.exports = require('node:http');`,
    }));
  },
};

/** Each program reads its version from the manifest of its workspace. */
const callThemselves = (version: string): Plugin => ({
  name: 'version',
  setup({ onLoad }) {
    onLoad({ filter: /\/apps\/[^/]+\/package\.json$/ }, () => ({
      contents: JSON.stringify({ version }),
      loader: 'json',
    }));
  },
});

function manifest(root: string, version: string): object {
  const { description, license } = readManifest(root);
  return {
    name: 'writ',
    version,
    description,
    license,
    type: 'module',
    engines: { node: '>=24' },
    bin: { writ: 'cli.js' },
    files: ['*.js', 'LICENSES-OF-OTHERS'],
  };
}
