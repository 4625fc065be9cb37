import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openFollowers } from './followers.ts';

const caller = (actor: string, role: 'member' | 'socket' = 'member') => ({ role, actor, source: 'test' });

test('one token has so many places and no more, and gets them back', () => {
  const followers = openFollowers();
  const leave = Array.from({ length: 256 }, () => followers.enter(caller('token:one')));
  assert.throws(() => followers.enter(caller('token:one')), { code: 'quota.exceeded' });
  followers.enter(caller('token:two'));
  for (const one of leave) {
    one();
    one();
  }
  for (let at = 0; at < 256; at += 1) followers.enter(caller('token:one'));
  assert.throws(() => followers.enter(caller('token:one')), { code: 'quota.exceeded' });
});

test('all together have so many places and no more', () => {
  const followers = openFollowers();
  for (let at = 0; at < 1_500; at += 1) followers.enter(caller('local:0', 'socket'));
  assert.throws(() => followers.enter(caller('token:one')), { code: 'quota.exceeded' });
});
