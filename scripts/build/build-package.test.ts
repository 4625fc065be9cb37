import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { withTree } from '../gates/plant-tree.ts';
import { runProgram } from '../test/run-program.ts';
import { buildPackage } from './build-package.ts';

const TREE = {
  'package.json': JSON.stringify({
    version: '0.1.0',
    license: 'Apache-2.0',
    dependencies: { a: '1' },
    scripts: { b: 'c' },
  }),
  LICENSE: 'the licence of Writ\n',
  'README.md': '# Writ\n',
  'packages/contract/package.json': JSON.stringify({
    name: '@writ/contract',
    type: 'module',
    exports: './src/index.ts',
  }),
  'packages/contract/src/index.ts': `export const word: string = 'sealed';\n`,
  'node_modules/old/package.json': JSON.stringify({
    name: 'old',
    version: '1.2.3',
    license: 'ISC',
    main: 'old.js',
  }),
  'node_modules/old/LICENSE': 'the licence of old\n',
  'node_modules/old/old.js': `const { EventEmitter } = require('node:events');\nmodule.exports = { emitter: typeof EventEmitter };\n`,
  'apps/cli/src/main.ts': `import old from 'old';\nimport { word } from '@writ/contract';\nconsole.log(word, old.emitter);\n`,
  'apps/server/src/main.ts': `console.log('server');\n`,
  'apps/agent/src/main.ts': `console.log('agent');\n`,
  'apps/agent/src/launcher/main.ts': `console.log('launcher');\n`,
};

describe('the package', () => {
  test('keeps what a program imports later in a file of its own, readable by all', async () => {
    const tree = {
      ...TREE,
      'apps/server/src/main.ts': `const { seldom } = await import('./seldom.ts');\nconsole.log(seldom);\n`,
      'apps/server/src/seldom.ts': `export const seldom = 'asked for at last';\n`,
    };
    await withTree(tree, async (root) => {
      const { folder } = await buildPackage(root, join(root, 'dist'));
      assert.doesNotMatch(readFileSync(join(folder, 'server.js'), 'utf8'), /asked for at last/);
      const later = readdirSync(folder).filter((name) => /^server-\w+\.js$/.test(name));
      assert.equal(later.length, 1);
      assert.equal(statSync(join(folder, later[0] ?? '')).mode & 0o777, 0o644);
      const ended = await runProgram([process.execPath, join(folder, 'server.js')], { cwd: '/', minutes: 1 });
      assert.equal(ended.output, 'asked for at last\n');
    });
  });

  test('runs anywhere without other packages, CommonJS inside included', async () => {
    await withTree(TREE, async (root) => {
      const elsewhere = mkdtempSync(join(tmpdir(), 'writ-package-'));
      try {
        const { folder, files } = await buildPackage(root, join(root, 'dist'));
        assert.deepEqual(Object.keys(files), ['cli.js', 'server.js', 'agent.js', 'launcher.js']);
        cpSync(folder, elsewhere, { recursive: true });
        for (const [file, says] of [
          ['cli.js', 'sealed function\n'],
          ['server.js', 'server\n'],
          ['agent.js', 'agent\n'],
          ['launcher.js', 'launcher\n'],
        ] as const) {
          const ended = await runProgram([process.execPath, join(elsewhere, file)], { cwd: '/', minutes: 1 });
          assert.equal(ended.output, says);
        }
      } finally {
        rmSync(elsewhere, { recursive: true, force: true });
      }
    });
  });

  test('has the command writ, no dependency and no script', async () => {
    await withTree(TREE, async (root) => {
      const { folder } = await buildPackage(root, join(root, 'dist'));
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<
        string,
        unknown
      >;
      assert.equal(manifest['name'], 'writ');
      assert.deepEqual(manifest['bin'], { writ: 'cli.js' });
      assert.equal('dependencies' in manifest || 'scripts' in manifest, false);
    });
  });

  test('calls itself and each program by one version, also another than the workspace has', async () => {
    const tree = {
      ...TREE,
      'apps/server/package.json': JSON.stringify({ version: '0.0.7' }),
      'apps/server/src/main.ts': `import m from '../package.json' with { type: 'json' };\nconsole.log(m.version);\n`,
    };
    await withTree(tree, async (root) => {
      for (const [given, version] of [
        [undefined, '0.1.0'],
        ['0.2.0', '0.2.0'],
      ] as const) {
        const { folder } = await buildPackage(root, join(root, 'dist'), given);
        const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
        assert.equal((manifest as { version: unknown }).version, version);
        const ended = await runProgram([process.execPath, join(folder, 'server.js')], {
          cwd: '/',
          minutes: 1,
        });
        assert.equal(ended.output, `${version}\n`);
      }
    });
  });

  test('can be read by every account whatever the umask, and carries the licences', async () => {
    await withTree(TREE, async (root) => {
      const umask = process.umask(0o077);
      try {
        const { folder } = await buildPackage(root, join(root, 'dist'));
        const mode = (name: string): number => statSync(join(folder, name)).mode & 0o777;
        assert.equal(mode('.'), 0o755);
        assert.equal(mode('cli.js'), 0o755);
        assert.equal(mode('server.js'), 0o644);
        assert.equal(mode('package.json'), 0o644);
        assert.match(
          readFileSync(join(folder, 'LICENSES-OF-OTHERS'), 'utf8'),
          /old 1\.2\.3 \(ISC\)\n\nthe licence of old/,
        );
      } finally {
        process.umask(umask);
      }
    });
  });

  test('is not built in part', async () => {
    const { 'apps/server/src/main.ts': _server, ...without } = TREE;
    await withTree(without, async (root) => {
      await assert.rejects(
        buildPackage(root, join(root, 'dist')),
        /apps\/server\/src\/main\.ts is not there/,
      );
    });
  });
});

test('`writ up` reads little before its server starts', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['apps/cli/src/verbs/up.ts'],
    outdir: 'unwritten',
    write: false,
    metafile: true,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    logLevel: 'error',
  });
  const read = new Set<string>();
  const follow = (file: string): void => {
    if (read.has(file)) return;
    read.add(file);
    for (const { path, kind } of metafile.inputs[file]?.imports ?? [])
      if (kind === 'import-statement' && path in metafile.inputs) follow(path);
  };
  follow('apps/cli/src/verbs/up.ts');
  assert.ok(read.has('apps/agent/src/start/program-line.ts'));
  assert.deepEqual(
    [...read].filter((file) => file.includes('node_modules/')),
    [],
  );
});
