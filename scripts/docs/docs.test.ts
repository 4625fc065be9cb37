import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { withTree } from '../gates/plant-tree.ts';
import { checkPaths } from './check-paths.ts';
import { checkPrograms } from './check-programs.ts';
import { matchesOutput, readConsoleBlocks } from './read-console-blocks.ts';
import { runSteps, type Fault } from './run-steps.ts';

const MANIFEST = JSON.stringify({ scripts: { test: 'x', quickstart: 'x' } });

describe('names in documents', () => {
  test('that are there pass, and all of them are looked up', async () => {
    const text =
      'See `apps/cli/main.ts`, `apps/{cli,agent}/main.ts`, `apps/*/main.ts`, [here](docs/a.md#top), `main.ts`, `npm test`.\n' +
      'Not names of this tree: `/writ/job.sock`, `a/b`, `--json`, <https://a.example/docs/x.md>.\n';
    const tree = { 'README.md': text, 'docs/a.md': '', 'apps/cli/main.ts': '', 'apps/agent/main.ts': '' };
    const found = await withTree({ ...tree, 'package.json': MANIFEST }, checkPaths);
    assert.deepEqual(found, { documents: 2, named: 6, broken: [] });
  });

  for (const [what, text] of [
    ['a path', 'See `apps/cli/gone.ts`.'],
    ['one path of several', 'See `apps/{cli,gone}/main.ts`.'],
    ['a pattern', 'See `apps/*/gone.ts`.'],
    ['a file at the root', 'See `GONE.md`.'],
    ['a link', 'See [there](docs/gone.md).'],
    ['an npm script', 'Run `npm run gone`.'],
    ['an npm script in a block', '```\nnpm run gone\n```'],
  ] as const) {
    test(`that lead nowhere are found: ${what}`, async () => {
      const tree = { 'README.md': `\n${text}\n`, 'apps/cli/main.ts': '', 'package.json': MANIFEST };
      const { broken } = await withTree(tree, checkPaths);
      assert.equal(broken.length, 1);
      assert.match(broken[0]?.where ?? '', /^README\.md:[23]$/);
      assert.match(broken[0]?.names ?? '', /gone/i);
    });
  }
});

describe('programs on pages', () => {
  const page = '# A page\n\n```ts examples/a.ts\nrun();\n```\n\n```ts\nnot a file\n```\n';
  for (const [what, program, different] of [
    ['the file, but for what it says of itself', '// how to run it\nrun();\n', 0],
    ['another one', 'run(1);\n', 1],
    ['a part of it', 'run();\nrun();\n', 1],
  ] as const)
    test(`are compared with their files: ${what}`, async () => {
      const found = await withTree({ 'docs/page.md': page, 'examples/a.ts': program }, checkPrograms);
      assert.equal(found.shown, 1);
      assert.equal(found.different.length, different);
    });

  test('whose file is gone are found', async () => {
    assert.equal((await withTree({ 'docs/page.md': page }, checkPrograms)).different.length, 1);
  });
});

describe('expected output', () => {
  for (const [expected, output, matches] of [
    [['a'], 'a\n', true],
    [['a'], 'a', true],
    [['a'], 'b\n', false],
    [['a'], 'a\nb\n', false],
    [[], '', true],
    [[], 'a\n', false],
    [['job … queued'], 'job k3f… queued\n', true],
    [['job … queued'], 'job k3f\nqueued\n', false],
    [['a', '…', 'd'], 'a\nb\nc\nd\n', true],
    [['a', '…', 'd'], 'a\nd\n', true],
    [['a', '…', 'd'], 'a\nb\nc\n', false],
    [['(a.b)'], '(aXb)\n', false],
  ] as const) {
    test(`${JSON.stringify(expected)} ${matches ? 'is' : 'is not'} ${JSON.stringify(output)}`, () => {
      assert.equal(matchesOutput(expected, output), matches);
    });
  }
});

describe('a page with console blocks', () => {
  test('is run as one person types it: folders, variables and exit codes stay', async () => {
    const page =
      '```console\n$ mkdir box && cd box\n$ word=writ\n```\ntext `$ no`\n```\n$ not run\n```\n' +
      '```console\n$ echo "$word in ${PWD##*/}"\nwrit in box\n$ false\n$ echo $?\n1\n$ echo two \\\n> lines\ntwo lines\n```\n';
    assert.deepEqual(await runPage(page), []);
  });

  test('is at fault when a command prints something else', async () => {
    const faults = await runPage('```console\n$ echo a\nb\n```\n');
    assert.equal(faults.length, 1);
    assert.equal(faults[0]?.line, 2);
    assert.match(faults[0]?.says ?? '', /should print:\nb\nand printed:\na/);
  });

  test('is at fault when a command fails and the page does not say so', async () => {
    const faults = await runPage('```console\n$ (exit 3)\n```\n');
    assert.match(faults[0]?.says ?? '', /ended with 3/);
  });

  test('is at fault when the shell ends or the time is over', async () => {
    assert.match(
      (await runPage('```console\n$ exit 0\n$ echo a\na\n```\n'))[0]?.says ?? '',
      /the shell ended/,
    );
    assert.match((await runPage('```console\n$ sleep 60\n```\n', 0.02))[0]?.says ?? '', /minutes were over/);
  });

  test('leaves nothing running', async () => {
    await withTree({}, async (root) => {
      const file = join(root, 'late');
      const steps = readConsoleBlocks(`\`\`\`console\n$ (sleep 1; touch '${file}') > /dev/null &\n\`\`\`\n`);
      assert.deepEqual(await runSteps(steps, root), []);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      assert.equal(existsSync(file), false);
    });
  });

  test('refuses a block that begins without a command', () => {
    assert.throws(() => readConsoleBlocks('```console\nwrit up\n```\n'), /line 2/);
  });
});

function runPage(markdown: string, minutes = 1): Promise<Fault[]> {
  return withTree({}, (root) => runSteps(readConsoleBlocks(markdown), root, minutes));
}
