import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkImports } from './check-imports.ts';
import { IMPORT_RULES, REACH_RULES } from './import-rules.ts';
import { CLEAN_TREE, withTree, type Tree } from './plant-tree.ts';

const PLANTED: Readonly<Record<string, readonly Tree[]>> = {
  'every-import-is-found': [append('apps/cli/src/main.ts', `import '@writ/nothing';`)],
  'no-circle': [append('apps/server/src/lease/lease-job.ts', `import '../compose.ts';`)],
  'tests-are-not-imported': [
    { ...append('apps/cli/src/main.ts', `import './a.test.ts';`), 'apps/cli/src/a.test.ts': 'export {};\n' },
  ],
  'packages-know-no-apps': [append('packages/client/src/node/index.ts', `import '@writ/server';`)],
  'testkit-is-for-tests': [
    append('apps/cli/src/main.ts', `import '@writ/testkit';`),
    append('packages/client/src/index.ts', `import '@writ/testkit';`),
    {
      ...append('packages/trust/src/index.ts', `import './testing/forge.ts';`),
      'packages/trust/src/testing/forge.ts': `export {};\n`,
    },
  ],
  'contract-is-the-bottom': [append('packages/contract/src/index.ts', `import '@writ/trust/digest';`)],
  'trust-stands-on-contract': [append('packages/trust/src/index.ts', `import '@writ/store';`)],
  'store-stands-on-contract': [
    append('packages/store/src/index.ts', `import '@writ/trust';`),
    append('packages/store/src/index.ts', `import type { order } from '@writ/trust';`),
    append('packages/store/src/index.ts', `import '@writ/client';`),
  ],
  'client-stands-on-trust': [append('packages/client/src/index.ts', `import '@writ/store/hold-folder';`)],
  'apps-know-no-apps': [
    append('apps/cli/src/main.ts', `import '../../server/src/lease/lease-job.ts';`),
    append('apps/server/src/compose.ts', `import '../../cli/src/up/start-program.ts';`),
  ],
  'only-cli-starts-programs': [append('apps/server/src/compose.ts', `import '@writ/agent';`)],
  'features-know-no-features': [
    append('apps/server/src/lease/lease-job.ts', `import '../queue/queue-job.ts';`),
    append('apps/agent/src/replay/replay.ts', `import type { Verify } from '../verify/verify-order.ts';`),
  ],
  'cli-layers-point-down': [
    append('apps/cli/src/config/settings.ts', `import '../up/start-program.ts';`),
    append('apps/cli/src/show/show.ts', `import type { session } from '../session/session.ts';`),
    append('apps/cli/src/job/order-job.ts', `import '../up/start-program.ts';`),
  ],
  'features-meet-in-compose': [
    append('apps/agent/src/handle-job.ts', `import './replay/replay.ts';\nimport './connect/connect.ts';`),
  ],
  'agent-takes-no-sql': [append('apps/agent/src/compose.ts', `import '@writ/store';`)],
  'authority-key-in-one-place': [
    append('apps/server/src/compose.ts', `import '@writ/trust/authority';`),
    append('packages/client/src/node/index.ts', `import '@writ/trust/authority';`),
  ],
  'contract-without-node': [append('packages/contract/src/index.ts', `import 'node:path';`)],
  'client-root-without-node': [append('packages/client/src/index.ts', `import 'fs';`)],
  'signing-half-without-node': [append('packages/trust/src/index.ts', `import 'node:fs';`)],
  processes: [
    append('apps/agent/src/compose.ts', `import 'node:child_process';`),
    append('apps/server/src/compose.ts', `import { fork } from 'child_process';`),
    append('apps/cli/src/main.ts', `await import('node:child_process');`),
    append('apps/server/src/compose.ts', `import 'node:cluster';`),
  ],
  sql: [
    append('apps/server/src/compose.ts', `import 'node:sqlite';`),
    append('packages/client/src/index.ts', `import 'kysely';`),
  ],
  'folder-lock-is-small': [append('packages/store/src/hold-folder.ts', `import 'kysely';`)],
  cryptography: [
    append('apps/agent/src/verify/verify-order.ts', `import 'node:crypto';`),
    append('packages/store/src/index.ts', `import 'crypto';`),
    append('apps/server/src/certificates/issue.ts', `import '@peculiar/x509';`),
  ],
  'launcher-without-network': [
    append('apps/agent/src/launcher/main.ts', `import 'node:net';`),
    append('apps/agent/src/launcher/main.ts', `import 'tls';`),
    append('apps/agent/src/launcher/main.ts', `import 'node:http2';`),
  ],
  'launcher-without-dependencies': [append('apps/agent/src/launcher/main.ts', `import 'commander';`)],
  'launcher-reaches-no-network': [
    append('apps/agent/src/launcher/main.ts', `import '../connect/connect.ts';`),
  ],
  'launcher-reaches-no-dependency': [append('apps/agent/src/launcher/main.ts', `import '@writ/store';`)],
  'server-reaches-no-process': [
    {
      ...append('apps/server/src/compose.ts', `import '@writ/client/node';`),
      ...append('packages/client/src/node/index.ts', `import 'node:child_process';`),
    },
  ],
  'agent-reaches-no-process': [append('apps/agent/src/compose.ts', `import './start/start-agent.ts';`)],
  'no-barrel': [{ 'apps/server/src/lease/index.ts': `export * from './lease-job.ts';\n` }],
};

describe('the import rules', { concurrency: 2 }, () => {
  test('a clean tree breaks none, and each applies to it', async () => {
    const found = await withTree(CLEAN_TREE, checkImports);
    assert.deepEqual(found.violations, []);
    assert.ok(found.read >= 25);
  });

  for (const [rule, plants] of Object.entries(PLANTED)) {
    for (const [at, plant] of plants.entries()) {
      test(`${rule} fires (${at + 1} of ${plants.length})`, async () => {
        const { violations } = await withTree({ ...CLEAN_TREE, ...plant }, checkImports);
        const fired = violations.filter((violation) => violation.where !== 'reads 0 files');
        assert.ok(
          fired.some((violation) => violation.rule === rule && violation.comment !== ''),
          `fired instead: ${JSON.stringify(fired)}`,
        );
      });
    }
  }

  test('every rule has been planted', () => {
    const rules = [...IMPORT_RULES, ...REACH_RULES].map((rule) => rule.name ?? '');
    assert.deepEqual(
      rules.filter((rule) => !(rule in PLANTED)),
      [],
    );
  });

  test('a rule that reads no file is a violation', async () => {
    const { 'apps/agent/src/launcher/main.ts': _launcher, ...without } = CLEAN_TREE;
    const { violations } = await withTree(without, checkImports);
    assert.deepEqual(
      violations.map((violation) => violation.rule),
      [
        'launcher-without-network',
        'launcher-without-dependencies',
        'launcher-reaches-no-network',
        'launcher-reaches-no-dependency',
      ],
    );
  });

  test('a test file may do what its program may not', async () => {
    const path = 'apps/agent/src/verify/verify-order.test.ts';
    const text = `import 'node:child_process';\nimport 'node:crypto';\nimport '@writ/testkit';\n`;
    const { violations } = await withTree({ ...CLEAN_TREE, [path]: text }, checkImports);
    assert.deepEqual(violations, []);
  });
});

function append(path: string, text: string): Tree {
  return { [path]: `${CLEAN_TREE[path]}${text}\n` };
}
