import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withTree } from '../gates/plant-tree.ts';
import { runSuite, type SuiteResult } from './run-suite.ts';

const OK = `import { test } from 'node:test';\ntest('holds', () => {});\n`;

describe('a suite', { concurrency: 2 }, () => {
  test('counts tests, not files or groups', async () => {
    const result = await run({
      'e2e/a.test.ts': `import { describe, test } from 'node:test';
        test('one', () => {});
        describe('group', () => { test('two', () => {}); test('three', { skip: 'no moon' }, () => {}); });`,
    });
    assert.deepEqual(result.counts, { passed: 2, failed: 0, skipped: 1 });
  });

  test('that finds no file has failed', async () => {
    const result = await run({ 'e2e/readme.txt': '' });
    assert.deepEqual(result.counts, { passed: 0, failed: 1, skipped: 0 });
    assert.match(result.complaints.join(), /no test file matches/);
  });

  test('names a failing test and why it failed', async () => {
    const result = await run({
      'e2e/a.test.ts': `import { test } from 'node:test';\ntest('holds', () => { throw new Error('it does not'); });`,
    });
    assert.deepEqual(result.counts, { passed: 0, failed: 1, skipped: 0 });
    assert.match(result.complaints.join(), /e2e\/a\.test\.ts: holds: Error: it does not/);
  });

  for (const [title, text, complaint] of [
    ['without tests', `export const x = 1;`, /ran no test/],
    ['that cannot be imported', `${OK}import './nothing.ts';`, /ERR_MODULE_NOT_FOUND|test failed/],
    [
      'that throws after its tests',
      `${OK}setTimeout(() => { throw new Error('late'); }, 20);`,
      /test failed/,
    ],
    ['that ends with an exit code of its own', `${OK}process.exitCode = 3;`, /test failed/],
    [
      'that ends before its tests do',
      `${OK}setTimeout(() => process.exit(0), 50);\ntest('slow', () => new Promise((r) => setTimeout(r, 5000)));`,
      /ended before its tests did/,
    ],
    ['that says it is not done', `${OK}test('later', { todo: true }, () => {});`, /is marked as todo/],
    [
      'that is killed',
      `${OK}setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50);\nawait new Promise((r) => setTimeout(r, 5000));`,
      /test failed/,
    ],
  ] as const) {
    test(`counts a file ${title} as failed, beside others that pass`, async () => {
      const result = await run({ 'e2e/a.test.ts': text, 'e2e/b.test.ts': OK });
      assert.equal(result.counts.failed, 1, result.complaints.join('\n'));
      assert.ok(result.counts.passed >= 1);
      assert.match(result.complaints.join('\n'), complaint);
    });
  }

  test('that takes too long is ended and has failed', async () => {
    const slow = `import { test } from 'node:test';\ntest('slow', () => new Promise((r) => setTimeout(r, 60_000)));`;
    const result = await run({ 'e2e/a.test.ts': slow }, { minutes: 0.02 });
    assert.ok(result.counts.failed >= 1);
    assert.match(result.complaints.join('\n'), /stopped after 0\.02 minutes/);
  });

  test('leaves out a file whose counterpart is missing, and says why', async () => {
    const result = await run(
      { 'e2e/a.test.ts': `// needs: openssl, bubblewrap\n${OK}`, 'e2e/b.test.ts': OK },
      { missing: new Map([['bubblewrap', 'bubblewrap is not installed']]) },
    );
    assert.deepEqual(result.counts, { passed: 1, failed: 0, skipped: 0 });
    assert.deepEqual(result.notRun, ['e2e/a.test.ts: bubblewrap is not installed']);
  });

  test('runs a file marked alone by itself', async () => {
    const writes = (name: string): string => `// runs: alone
      import { test } from 'node:test';
      import { appendFileSync } from 'node:fs';
      test('${name}', async () => {
        appendFileSync('order', '<');
        await new Promise((resolve) => setTimeout(resolve, 200));
        appendFileSync('order', '>');
      });`;
    const result = await run({
      'e2e/a.test.ts': writes('a'),
      'e2e/b.test.ts': writes('b'),
      'e2e/z.test.ts': `// runs: alone\nimport { test } from 'node:test';\nimport { readFileSync } from 'node:fs';
        test('in turn', (t) => { t.assert.equal(readFileSync('order', 'utf8'), '<><>'); });`,
    });
    assert.deepEqual(result.counts, { passed: 3, failed: 0, skipped: 0 }, result.complaints.join());
  });
});

function run(
  tree: Readonly<Record<string, string>>,
  how: { minutes?: number; missing?: ReadonlyMap<string, string> } = {},
): Promise<SuiteResult> {
  const suite = { name: 'e2e', globs: ['e2e/**/*.test.ts'], concurrency: 2, minutes: how.minutes ?? 1 };
  return withTree(tree, (root) => runSuite(suite, { root, paths: [], missing: how.missing ?? new Map() }));
}
