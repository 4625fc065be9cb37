import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from '../shape.ts';
import { Id, P256Key } from '../names.ts';
import { firstIndex, isIndexOf, JobPath, taskCount } from './order.ts';

const path = check(JobPath);
const id = check(Id);

test('a job path stays below the folder of the job', () => {
  for (const good of ['a', 'a/b', 'a b/ü.txt', '.hidden', 'a/.b', '..a', 'a..', 'result/**', '*.txt'])
    assert.ok(path.is(good), good);
  for (const bad of [
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    './a',
    'a/.',
    'a/..',
    '../a',
    'a/../b',
    'a/./b',
    'a\u0000b',
    'a/\u0000',
    'a\n/../../etc/passwd',
    'a\r/../b',
    'a\u2028//b',
    'a/b\n/..',
    '\n/.',
  ]) {
    assert.ok(!path.is(bad), JSON.stringify(bad));
  }
});

test('an id has one spelling for its 128 bits', () => {
  assert.ok(id.is('aaaaaaaaaaaaaaaaaaaaaaaaaa'));
  assert.ok(!id.is('aaaaaaaaaaaaaaaaaaaaaaaaab'), 'free bits');
  assert.ok(!id.is('AAAAAAAAAAAAAAAAAAAAAAAAAA'));
});

test('indexes of a range are the numbers that the submitter wrote', () => {
  const range = { is: 'range', from: 5, to: 7 } as const;
  assert.equal(taskCount(range), 3);
  assert.equal(firstIndex(range), 5);
  assert.deepEqual(
    [4, 5, 7, 8, 5.5, Number.NaN].map((index) => isIndexOf(range, index)),
    [false, true, true, false, false, false],
  );
  assert.equal(taskCount({ is: 'range', from: 7, to: 5 }), 0);
});

test('a P-256 key is written with its point in full, in one spelling', () => {
  const key = check(P256Key);
  const header = 'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgA';
  assert.ok(key.is(`p256:${header}E${'A'.repeat(86)}`));
  for (const hybrid of ['G', 'H']) assert.ok(!key.is(`p256:${header}${hybrid}${'A'.repeat(86)}`));
  assert.ok(!key.is(`p256:${'A'.repeat(122)}`), 'another structure');
});
