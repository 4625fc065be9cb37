import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { COMMANDS } from './commands.ts';
import { schemaFiles, SCHEMAS } from './schemas.ts';

const folder = new URL('../../../docs/schemas/', import.meta.url);

test('docs/schemas holds just what the program publishes (after a change: node scripts/write-reference.ts)', () => {
  const files = schemaFiles();
  assert.deepEqual(readdirSync(folder).sort(), [...files.keys()].sort());
  for (const [name, text] of files) assert.equal(readFileSync(new URL(name, folder), 'utf8'), text, name);
});

test('every command that takes --json publishes its shape', () => {
  const named = COMMANDS.filter((spec) => spec.hasNoJson !== true).map(({ name }) => name);
  const published = Object.keys(SCHEMAS).filter((name) => name !== 'error' && name !== 'bundle');
  assert.deepEqual(published.sort(), named.sort());
});
