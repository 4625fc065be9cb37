import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fastify from 'fastify';
import { checkPolicy } from './route-policy.ts';

describe('a route', () => {
  const open = () => {
    const app = fastify();
    app.addHook('onRoute', (route) => checkPolicy(route, ['anyone', 'member']));
    return app;
  };

  test('without a declared policy and group stops the server from starting', () => {
    assert.throws(() => open().get('/a', () => 1), /declares no policy/);
    assert.throws(() => open().get('/a', { config: { policy: 'member' } }, () => 1), /declares no policy/);
    assert.throws(() => open().get('/a', { config: { group: 'client' } }, () => 1), /declares no policy/);
    assert.doesNotThrow(() => open().get('/a', { config: { policy: 'member', group: 'client' } }, () => 1));
  });

  test('with the policy of another API does not start either', () => {
    assert.throws(
      () => open().get('/a', { config: { policy: 'agent', group: 'agent' } }, () => 1),
      /declares no policy/,
    );
  });
});
