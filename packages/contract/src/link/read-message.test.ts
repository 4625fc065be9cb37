import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromAgentCheck, fromServerCheck } from './messages.ts';
import { readMessage } from './read-message.ts';

const faultOf = (line: string): string | undefined => {
  const read = readMessage(line, fromAgentCheck);
  return 'fault' in read ? read.fault : undefined;
};

describe('a message of a link', () => {
  test('is what JSON.stringify writes, and read as it was', () => {
    const message = { is: 'pong', n: 7 };
    assert.deepEqual(readMessage(JSON.stringify(message), fromAgentCheck), { message });
  });

  test('with a key that stands twice is refused, however it is spelled', () => {
    for (const line of [
      '{"is":"pong","n":1,"n":2}',
      '{"is":"pong","n":1,"\\u006e":2}',
      '{"n":1,"is":"pong","is":"pong"}',
    ])
      assert.match(faultOf(line) ?? '', /one spelling/, line);
  });

  test('in another spelling, of another shape or of endless depth is refused', () => {
    assert.match(faultOf('{"is":"pong", "n":1}') ?? '', /one spelling/);
    assert.match(faultOf('{"is":"pong","n":1.0}') ?? '', /one spelling/);
    assert.match(faultOf('{"is":"pong","n":1,"__proto__":{"n":1}}') ?? '', /shape/);
    assert.match(faultOf(`${'['.repeat(200_000)}${']'.repeat(200_000)}`) ?? '', /shape/);
    assert.match(faultOf('{"is":"pong","n":') ?? '', /not JSON/);
  });

  test('is as strict from the server', () => {
    assert.ok('fault' in readMessage('{"is":"ping","n":1,"n":2}', fromServerCheck));
  });
});
