import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { makeSignedOrder } from '../testkit/src/make-order.ts';
import { startTestServer, type TestServer } from '../testkit/src/start-test-server.ts';
import { inline, makeAgent } from '../testkit/src/test-agent.ts';

describe('a server with one agent', { timeout: 60_000 }, () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(async () => {
    await server.close();
  });

  test('a signed order goes to the agent, and its signed receipt is what the person reads', async () => {
    const agent = await makeAgent(server, 'lab-01');
    await agent.connect();
    await agent.next('welcome');
    const { envelope, order, digest } = makeSignedOrder(server.sets, server.person);
    const submitted = await server.call('POST', '/api/v1/jobs', { body: { order: envelope } });
    assert.equal(submitted.status, 201);
    assert.equal(submitted.body.digest, digest);

    const lease = await agent.lease();
    assert.deepEqual(agent.orders.get(lease.order), envelope);
    assert.equal(lease.attempt, 1);
    const out = inline('Linux\n');
    const receipt = agent.receipt(lease, { stdout: out.log });
    agent.send(
      { is: 'receipts', receipts: [{ envelope: receipt, stdout: out.base64, stderr: null }] },
      { is: 'credits', more: 1 },
    );
    const accepted = await agent.next('accepted');
    assert.deepEqual(accepted, { is: 'accepted', upTo: 1, refused: [] });

    const job = await server.call('GET', `/api/v1/jobs/${order.job}`);
    assert.equal(job.body.state, 'succeeded');
    assert.equal(job.body.counts.succeeded, 1);
    const tasks = await server.call('GET', `/api/v1/jobs/${order.job}/tasks`);
    assert.deepEqual([tasks.body.items[0].agent, tasks.body.items[0].exit], ['lab-01', { code: 0 }]);
    const receipts = await server.call('GET', `/api/v1/jobs/${order.job}/receipts`);
    assert.deepEqual(receipts.body.items[0].envelope, receipt);
    const log = await server.call('GET', `/api/v1/jobs/${order.job}/tasks/0/logs/stdout`);
    assert.equal(log.bytes.toString(), 'Linux\n');
    await agent.close();
  });
});
