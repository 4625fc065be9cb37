import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openClosing } from './closing.ts';

test('what was opened last is closed first, each is waited for, and one that fails keeps none from closing', async () => {
  const said: string[] = [];
  const closing = openClosing((_level, event) => void said.push(event));
  closing.add(() => void said.push('first'));
  closing.add(
    async () => {
      await Promise.resolve();
      throw new Error('it does not close');
    },
    async () => {
      await new Promise((resolve) => setImmediate(resolve));
      said.push('last');
    },
  );
  await Promise.all([closing.close(), closing.close()]);
  await closing.closed;
  assert.deepEqual(said, ['server.stopping', 'last', 'server.close_failed', 'first', 'server.stopped']);
});
