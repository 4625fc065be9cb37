import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../../../..');

test('one file alone makes connections that TLS does not judge', async () => {
  const found: string[] = [];
  for await (const path of glob(['packages/*/src/**/*.ts', 'apps/*/src/**/*.ts'], { cwd: root })) {
    if (path.endsWith('.test.ts') || path.includes('/testing/')) continue;
    const text = await readFile(join(root, path), 'utf8');
    if (/rejectUnauthorized['"]?\s*[:=](?!\s*true\b)|NODE_TLS_REJECT_UNAUTHORIZED/.test(text))
      found.push(path);
  }
  assert.deepEqual(found, ['packages/trust/src/certificates/unjudged-tls.ts']);
});
