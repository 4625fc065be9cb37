import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { CLEAN_TREE, withTree, type Tree } from '../gates/plant-tree.ts';
import { compareSurface, SURFACE_FOLDER } from './compare-surface.ts';
import { describeSurface, type Surface } from './describe-surface.ts';

const CONFIGURATION = {
  compilerOptions: {
    target: 'es2024',
    module: 'nodenext',
    strict: true,
    types: ['node'],
    skipLibCheck: true,
    allowImportingTsExtensions: true,
  },
};
const TREE: Tree = {
  ...CLEAN_TREE,
  'tsconfig.json': JSON.stringify(CONFIGURATION),
  'packages/contract/src/index.ts': `/** An id. */\nexport interface Id {\n  readonly id: string;\n}\n`,
  'packages/trust/src/index.ts': `export const order = 1;\n`,
  'packages/trust/src/digest.ts': `export const digest = 1;\n`,
  'packages/trust/src/certificates/index.ts': `export const certificate = 1;\n`,
  'packages/trust/src/node/index.ts': `export const folder = 1;\n`,
  'packages/client/src/index.ts': `import type { Id } from '@writ/contract';\nexport type { Id } from '@writ/contract';\n/** Asks for it. */\nexport const ask = (id: Id): string => id.id;\n`,
  'packages/client/src/node/index.ts': `import type { Id } from '@writ/contract';\n/** Reads it. */\nexport const read = (id: Id): string => id.id;\n`,
};

const surfacesOf = (client: string): Promise<Surface[]> =>
  withTree({ ...TREE, 'packages/client/src/index.ts': client }, describeSurface);

describe('the surface of the client', () => {
  test('is what it exports, and a change of it is a fault until it is committed', async () => {
    const before = await surfacesOf(TREE['packages/client/src/index.ts'] ?? '');
    assert.deepEqual(
      before.map(({ complaints }) => complaints),
      [[], []],
    );
    assert.match(before[0]?.report ?? '', /ask: \(id: Id\) => string/);
    const after = await surfacesOf(
      `${TREE['packages/client/src/index.ts']}/** More. */\nexport const more = (): number => 1;\n`,
    );
    await withTree({}, (root) => {
      assert.equal(compareSurface(root, before).length, 2, 'nothing is committed yet');
      for (const { file, report } of before) {
        const path = join(root, SURFACE_FOLDER, file);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, report);
      }
      assert.deepEqual(compareSurface(root, before), []);
      const [fault = '', ...others] = compareSurface(root, after);
      assert.deepEqual(others, []);
      assert.match(fault, /client\.api\.md is not the surface of the sources/);
      assert.match(fault, /\+ export const more: \(\) => number/);
    });
  });

  test('lacks a word about something, or a name for it', async () => {
    const [silent] = await surfacesOf(`export const ask = (): string => '';\n`);
    assert.match(
      silent?.complaints.join() ?? '',
      /packages\/client\/src\/index\.ts: Missing documentation for "ask"/,
    );
    const [nameless] = await surfacesOf(
      `import type { Id } from '@writ/contract';\n/** Asks for it. */\nexport const ask = (id: Id): string => id.id;\n`,
    );
    assert.match(nameless?.complaints.join() ?? '', /"Id" needs to be exported/);
    const [lost] = await surfacesOf(`/** As {@link nothing}. */\nexport const ask = (): string => '';\n`);
    assert.match(lost?.complaints.join() ?? '', /could not be resolved/);
  });

  test('is not described when the client does not compile', async () => {
    await assert.rejects(surfacesOf(`export const ask: string = 1;\n`), /cannot be declared[\s\S]*TS2322/);
  });
});
