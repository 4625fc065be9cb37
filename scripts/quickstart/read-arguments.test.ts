import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readArguments } from './read-arguments.ts';

test('without arguments nothing is kept and a sandbox is wanted', () => {
  assert.deepEqual(readArguments([]), { keep: false, bare: false, stop: undefined });
});

test('keep, bare and stop are told apart', () => {
  assert.deepEqual(readArguments(['--bare', '--keep']), { keep: true, bare: true, stop: undefined });
  assert.deepEqual(readArguments(['--stop', '/tmp/x']), { keep: false, bare: false, stop: '/tmp/x' });
});

test('what is not known is named, with what is', () => {
  assert.match(readArguments(['--fast']) as string, /^--fast is not known\n.*--keep/s);
  assert.match(readArguments(['--stop']) as string, /needs the folder/);
});
