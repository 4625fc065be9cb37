import assert from 'node:assert/strict';
import { it } from 'node:test';
import { openLateLogs } from './late-logs.ts';

it('logs of results that came too late are kept, the newest of them, up to a bound', () => {
  const late = openLateLogs(10);
  late.keep('a', { stdout: 'aaaa', stderr: null });
  late.keep('b', { stdout: null, stderr: 'bbbb' });
  late.keep('empty', { stdout: null, stderr: '' });
  assert.deepEqual(late.of('a'), { stdout: 'aaaa', stderr: null });
  assert.equal(late.of('empty'), undefined);
  late.keep('c', { stdout: 'cccc', stderr: null });
  assert.equal(late.of('a'), undefined);
  assert.deepEqual(late.of('b'), { stdout: null, stderr: 'bbbb' });
  late.keep('d', { stdout: 'd'.repeat(11), stderr: null });
  for (const digest of ['a', 'b', 'c', 'd']) assert.equal(late.of(digest), undefined);
});
