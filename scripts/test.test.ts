import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withTree, type Tree } from './gates/plant-tree.ts';
import { runProgram, type Ended } from './test/run-program.ts';

const here = dirname(fileURLToPath(import.meta.url));
const OK = `import { test } from 'node:test';\n\ntest('holds', () => {});\n`;
const BAD = `import { test } from 'node:test';\n\ntest('breaks', () => {\n  throw new Error('no');\n});\n`;

describe('npm test', { concurrency: 2 }, () => {
  test('ends with one plain line and exit code 0 when everything passed', async () => {
    const ended = await npmTest({ 'packages/a/src/a.test.ts': OK, 'apps/b/src/b.test.ts': OK }, [
      '--only',
      'unit',
    ]);
    assert.equal(lastLine(ended), '2 passed, 0 failed, 0 skipped');
    assert.equal(ended.exitCode, 0);
    assert.match(ended.output, /minutes: set-up \d+\.\d · unit \d+\.\d/);
  });

  test('adds up the suites and ends with exit code 1 when one test failed', async () => {
    const tree = { 'packages/a/src/a.test.ts': OK, 'e2e/b.test.ts': BAD, 'scripts/c.test.ts': OK };
    const ended = await npmTest(tree, ['--only', 'unit,e2e,house']);
    assert.equal(lastLine(ended), '2 passed, 1 failed, 0 skipped');
    assert.equal(ended.exitCode, 1);
  });

  test('counts a suite without tests as failed', async () => {
    const ended = await npmTest({ 'packages/a/src/a.test.ts': OK }, ['--only', 'unit', '--only', 'e2e']);
    assert.equal(lastLine(ended), '1 passed, 1 failed, 0 skipped');
    assert.equal(ended.exitCode, 1);
  });

  test('runs the files whose path is given, and fails when there is none', async () => {
    const tree = { 'packages/a/src/a.test.ts': OK, 'packages/b/src/b.test.ts': BAD };
    assert.equal(lastLine(await npmTest(tree, ['packages/a'])), '1 passed, 0 failed, 0 skipped');
    const none = await npmTest(tree, ['packages/c']);
    assert.equal(lastLine(none), '0 passed, 1 failed, 0 skipped');
    assert.equal(none.exitCode, 1);
  });

  test('refuses a part that it does not have', async () => {
    const ended = await npmTest({}, ['--only', 'units']);
    assert.notEqual(ended.exitCode, 0);
    assert.match(ended.output, /there is no part units; the parts are gates, house, unit, e2e, docs/);
  });

  test('lists what needs a missing counterpart as not run, and with CI=true counts the counterpart as failed', async () => {
    const tree = {
      'packages/a/src/a.test.ts': OK,
      'packages/a/src/b.test.ts': `// needs: bubblewrap\n${BAD}`,
    };
    // Without apt-get on the path nothing can be installed.
    const bare = { ...process.env, PATH: '/nowhere', CI: '' };
    const ended = await npmTest(tree, ['--only', 'unit'], bare);
    assert.equal(lastLine(ended), '1 passed, 0 failed, 0 skipped');
    assert.match(
      ended.output,
      /not run on this machine, because\n {2}packages\/a\/src\/b\.test\.ts: bubblewrap is not/,
    );
    const strict = await npmTest(tree, ['--only', 'unit'], { ...bare, CI: 'true' });
    assert.match(lastLine(strict) ?? '', /^1 passed, [1-9]\d* failed, 0 skipped$/);
    assert.match(strict.output, /✗ bubblewrap is not installed and there is no apt-get/);
    assert.equal(strict.exitCode, 1);
  });

  test('counts each gate as one, and one that cannot run as failed', async () => {
    const ended = await npmTest({ 'package.json': '{}' }, ['--only', 'gates']);
    assert.equal(lastLine(ended), '0 passed, 7 failed, 0 skipped');
    assert.equal(ended.exitCode, 1);
  });
});

const CONFIGS = Object.fromEntries(
  ['.oxfmtrc.json', '.oxlintrc.json', 'knip.json', 'tsconfig.json'].map((name) => [
    name,
    readFileSync(join(dirname(here), name), 'utf8'),
  ]),
);

const GATE_TREE: Tree = {
  ...CONFIGS,
  'knip.json': `{ "entry": ["scripts/run.ts"], "project": ["scripts/**/*.ts"] }\n`,
  'package.json': `${JSON.stringify({ name: 'tree', type: 'module' })}\n`,
  'scripts/run.ts': `import { word } from './word.ts';\n\nconsole.log(word);\n`,
  'scripts/word.ts': `export const word = 'writ';\n`,
};

describe('the gates', { concurrency: 2 }, () => {
  const planted: readonly (readonly [gate: string, path: string, text: string, says: RegExp])[] = [
    ['format', 'scripts/word.ts', `export const word="writ"\n`, /Format issues found/],
    [
      'lint',
      'scripts/word.ts',
      `async function lose() {}\nlose();\nexport const word = 1;\n`,
      /no-floating-promises/,
    ],
    ['lint', 'scripts/word.ts', `export const word = 1;\nexport default word;\n`, /no-default-export/],
    ['types', 'scripts/word.ts', `export const word: number = 'writ';\n`, /TS2322/],
    ['types', 'scripts/word.ts', `export const word = [1][0] + 1;\n`, /TS2532/],
    ['dead-code', 'scripts/word.ts', `export const word = 1;\nexport const unused = 2;\n`, /unused/],
    ['dead-code', 'scripts/lonely.ts', `export const lonely = 2;\n`, /Unused files/],
    ['dead-code', 'scripts/word.ts', `import 'kysely';\nexport const word = 1;\n`, /Unlisted dependencies/],
  ];

  for (const gate of ['format', 'lint', 'types', 'dead-code']) {
    test(`${gate} passes a clean tree`, async () => {
      const ended = await runGate(gate, GATE_TREE);
      assert.equal(ended.exitCode, 0, ended.output);
    });
  }

  for (const [gate, path, text, says] of planted) {
    test(`${gate} fires at ${JSON.stringify(text)}`, async () => {
      const ended = await runGate(gate, { ...GATE_TREE, [path]: text });
      assert.equal(ended.exitCode, 1, ended.output);
      assert.match(ended.output, says);
    });
  }

  for (const gate of ['format', 'lint', 'types', 'imports', 'powers', 'dead-code']) {
    test(`${gate} fails where it has nothing to read`, async () => {
      const manifest = `${JSON.stringify({ name: 'tree', type: 'module', exports: { '.': './src/index.ts' } })}\n`;
      const configs = gate === 'format' ? {} : { ...CONFIGS, 'knip.json': '{}\n' };
      const ended = await runGate(gate, { ...configs, 'package.json': manifest });
      assert.notEqual(ended.exitCode, 0, ended.output);
    });
  }

  test('lint takes a test of node:test for what it is, and no lost promise', async () => {
    const text = `import { describe, test } from 'node:test';\n\ndescribe('a', () => {\n  test('b', async () => {});\n});\n`;
    const ended = await runGate('lint', { ...GATE_TREE, 'scripts/a.test.ts': text });
    assert.equal(ended.exitCode, 0, ended.output);
  });
});

function npmTest(tree: Tree, argv: readonly string[], env = process.env): Promise<Ended> {
  return withTree(tree, (root) =>
    runProgram([process.execPath, join(here, 'test.ts'), '--root', root, ...argv], {
      cwd: root,
      minutes: 2,
      env,
    }),
  );
}

function runGate(gate: string, tree: Tree): Promise<Ended> {
  return withTree(tree, (root) =>
    runProgram([process.execPath, join(here, 'gates', `${gate}.ts`)], { cwd: root, minutes: 2 }),
  );
}

function lastLine(ended: Ended): string | undefined {
  return ended.output.trimEnd().split('\n').at(-1);
}
