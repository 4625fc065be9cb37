import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly version?: string; readonly integrity?: string; readonly resolved?: string }>
  >;
}

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'));

test('peers of the npm registry are named exactly, and what is installed has the digest of the lock file', () => {
  const { dependencies } = read('package.json') as { dependencies: Record<string, string> };
  const { packages } = read('package-lock.json') as Lock;
  assert.deepEqual(Object.keys(dependencies), ['bullmq', 'graphile-worker', 'ioredis', 'pg', 'pg-boss']);
  for (const [name, version] of Object.entries(dependencies)) {
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
    assert.equal(packages[`node_modules/${name}`]?.version, version);
  }
  for (const [place, { integrity, resolved }] of Object.entries(packages)) {
    if (place === '') continue;
    assert.match(integrity ?? '', /^sha512-/, place);
    assert.equal(resolved, undefined, place);
  }
});
