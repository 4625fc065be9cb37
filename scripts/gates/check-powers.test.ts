import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkPowers, type Violation } from './check-powers.ts';
import { CLEAN_TREE, withTree, type Tree } from './plant-tree.ts';
import { POWER_RULES } from './power-rules.ts';

const PLANTED: Readonly<Record<string, readonly (readonly [path: string, text: string])[]>> = {
  environment: [
    ['packages/client/src/node/index.ts', `export const home = process.env['HOME'];`],
    ['apps/server/src/compose.ts', `import { env } from 'node:process'; export const e = env;`],
    ['apps/server/src/compose.ts', `const { env } = process; export const e = env;`],
    ['apps/agent/src/compose.ts', `export const e = globalThis.process.env;`],
    ['apps/cli/src/main.ts', `export const e = process['env'];`],
  ],
  listening: [
    ['apps/agent/src/compose.ts', `import { createServer } from 'node:net'; createServer();`],
    ['apps/agent/src/launcher/main.ts', `import net from 'node:net'; net.createServer();`],
    ['apps/cli/src/main.ts', `import { createSecureServer as make } from 'http2'; make();`],
    ['apps/server/src/compose.ts', `export const open = (app: any) => app.listen({ port: 0 });`],
    [
      'apps/server/src/lease/lease-job.ts',
      `import { createSocket } from 'node:dgram'; createSocket('udp4');`,
    ],
  ],
  clock: [
    ['packages/contract/src/index.ts', `export const now = Date.now();`],
    ['packages/trust/src/index.ts', `export const now = new Date();`],
    ['packages/trust/src/primitives/sha256.ts', `export const now = new Date;`],
    ['packages/store/src/index.ts', `setTimeout(() => {}, 1);`],
    ['apps/server/src/lease/lease-job.ts', `setInterval(() => {}, 1);`],
    [
      'apps/server/src/dispatch/match.ts',
      `import { setTimeout as wait } from 'node:timers/promises'; await wait(1);`,
    ],
    ['apps/server/src/lease/lease-job.ts', `export const start = performance.now();`],
    ['apps/server/src/lease/lease-job.ts', `globalThis.setTimeout(() => {}, 1);`],
    ['apps/agent/src/handle-job.ts', `export const limit = AbortSignal.timeout(5);`],
    ['apps/agent/src/replay/replay.ts', `export const text = Date();`],
    ['apps/agent/src/verify/verify-order.ts', `export const later = { after: setTimeout };`],
    ['apps/agent/src/verify/verify-order.ts', `export const clock = (now = Date.now) => now();`],
  ],
  randomness: [
    ['packages/contract/src/index.ts', `export const r = Math.random();`],
    ['packages/trust/src/index.ts', `export const id = crypto.randomUUID();`],
    ['packages/trust/src/authority/index.ts', `import { randomBytes } from 'node:crypto'; randomBytes(4);`],
    ['apps/agent/src/replay/replay.ts', `crypto.getRandomValues(new Uint8Array(4));`],
  ],
  cryptography: [['apps/server/src/compose.ts', `export const s = globalThis.crypto.subtle;`]],
  'hidden import': [
    ['apps/server/src/compose.ts', `process.getBuiltinModule('node:child_process');`],
    ['apps/agent/src/compose.ts', `import { createRequire } from 'node:module'; createRequire('/')('net');`],
    ['apps/agent/src/compose.ts', `export const load = (name: string) => import(name);`],
    ['packages/client/src/index.ts', `declare const require: any; require('node:fs');`],
  ],
  evaluation: [
    ['apps/agent/src/handle-job.ts', `export const run = (text: string) => eval(text);`],
    ['apps/agent/src/handle-job.ts', `export const run = (text: string) => new Function(text);`],
    ['apps/server/src/compose.ts', `import vm from 'node:vm'; vm.runInThisContext('1');`],
  ],
  account: [
    ['apps/agent/src/compose.ts', `import { homedir } from 'node:os'; homedir();`],
    ['apps/server/src/config/config.ts', `import os from 'node:os'; os.userInfo();`],
  ],
};

describe('the powers', () => {
  test('a clean tree breaks no rule, and each applies to it', async () => {
    const { read, violations } = await withTree(CLEAN_TREE, checkPowers);
    assert.deepEqual(violations, []);
    assert.ok(read >= 25);
  });

  for (const [power, plants] of Object.entries(PLANTED)) {
    for (const [path, text] of plants) {
      test(`${power} is seen in ${path}: ${text}`, async () => {
        const violations = await violationsOf({ [path]: `${CLEAN_TREE[path]}${text}\n` });
        assert.ok(
          violations.some((found) => found.power === power && found.where.startsWith(`${path}:`)),
          JSON.stringify(violations),
        );
      });
    }
  }

  test('every rule has been planted', () => {
    const powers = POWER_RULES.map((rule) => rule.power);
    assert.deepEqual(
      powers.filter((power) => !(power in PLANTED)),
      [],
    );
  });

  for (const [title, path, text] of [
    ['a date of a given instant', 'packages/contract/src/index.ts', `export const d = new Date(0);`],
    [
      'a member with the name of a global',
      'packages/store/src/index.ts',
      `export const f = (c: any) => c.setTimeout(1);`,
    ],
    ['a type', 'packages/contract/src/index.ts', `export type Wait = typeof setTimeout;`],
    ['a word in a comment', 'packages/contract/src/index.ts', `// Date.now() and process.env`],
    ['a word in a text', 'packages/contract/src/index.ts', `export const t = 'process.env';`],
    [
      'an import of a type',
      'packages/client/src/node/index.ts',
      `import type { Server } from 'node:net';\nexport type S = Server;`,
    ],
    ['a test', 'packages/contract/src/a.test.ts', `export const now = Date.now();`],
    [
      'making a key',
      'packages/trust/src/primitives/sha256.ts',
      `import { randomBytes } from 'node:crypto'; randomBytes(32);`,
    ],
    ['the configuration', 'apps/agent/src/config/config.ts', `export const e = process.env;`],
    ['the wiring', 'apps/server/src/compose.ts', `setTimeout(() => {}, 1);`],
  ] as const) {
    test(`${title} is allowed`, async () => {
      assert.deepEqual(await violationsOf({ [path]: `${CLEAN_TREE[path] ?? ''}${text}\n` }), []);
    });
  }

  test('a place without files is a violation', async () => {
    const { 'apps/agent/src/replay/replay.ts': _replay, ...without } = CLEAN_TREE;
    const { violations } = await withTree(without, checkPowers);
    assert.deepEqual(
      violations.map((violation) => violation.power),
      ['clock', 'randomness'],
    );
    assert.match(violations[0]?.where ?? '', /replay reads 0 files/);
  });
});

async function violationsOf(plant: Tree): Promise<Violation[]> {
  const { violations } = await withTree({ ...CLEAN_TREE, ...plant }, checkPowers);
  return violations;
}
