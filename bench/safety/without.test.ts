import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { EVERYTHING, WITHOUT } from './without.ts';

test('each thing that is turned off in a copy stands once in the sources', () => {
  const changes = WITHOUT.flatMap((without) => without.changes);
  assert.ok(changes.length >= WITHOUT.length);
  for (const { file, from, to } of changes) {
    const source = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
    assert.equal(source.split(from).length - 1, 1, `${file}: ${from}`);
    assert.notEqual(from, to);
  }
});

test('with everything on nothing is changed', () => {
  assert.deepEqual([EVERYTHING.changes, EVERYTHING.preludes], [[], {}]);
});
