import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastWords } from './last-words.ts';

test('the last reason in a log is what a person is told', () => {
  const log =
    '{"event":"started"}\n{"event":"x","why":"first"}\n{"event":"agent.not_started","why":"the folder is not mine"}\n{"event":"bye"}\n';
  assert.equal(lastWords(log), 'the folder is not mine');
  assert.equal(
    lastWords('{"event":"server.not_started","error":{"code":"a.b","message":"no port"}}\n'),
    'no port',
  );
});

test('a log without reasons gives its last line, and an empty one nothing', () => {
  assert.equal(lastWords('a\n  Node.js v24\n'), 'Node.js v24');
  assert.equal(lastWords(''), '');
});
