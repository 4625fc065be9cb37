import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startHostileServer, makePaperCluster } from '../../../testkit/src/hostile-server.ts';
import type { HostileServer, PaperCluster } from '../../../testkit/src/hostile-server.ts';
import { makeFolder, removeFolder, runRealAgent } from '../../../testkit/src/run-real-agent.ts';
import type { RealAgent } from '../../../testkit/src/run-real-agent.ts';
import { joinCluster } from './join.ts';

describe('a job on a real agent, by a server that may lie', () => {
  let cluster: PaperCluster;
  let server: HostileServer;
  let agent: RealAgent;
  const base = makeFolder();
  let tokens = 0;
  const token = () => ({ epoch: 1, n: (tokens += 1) });

  before(async () => {
    cluster = await makePaperCluster();
    const invite = cluster.invite('127.0.0.1:1');
    server = await startHostileServer({ cluster, invite, leaseSeconds: 30 });
    const text = invite.text.replace('127.0.0.1:1', `127.0.0.1:${server.port}`);
    await joinCluster({
      invite: text,
      name: 'lab-1',
      folder: join(base, 'agent'),
      slots: 2,
      profiles: ['bare'],
      now: Date.now,
      random: (bytes) => crypto.getRandomValues(bytes),
      signal: AbortSignal.timeout(10_000),
    });
    agent = runRealAgent(base);
    await server.hear('hello', undefined, 20_000).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${agent.log()}`);
    });
  });
  after(async () => {
    await agent.stop();
    await server.close();
    removeFolder(base);
  });

  it('runs, and says in a signed receipt what came out', async () => {
    const order = cluster.order({ argv: ['/bin/sh', '-c', 'echo out $WRIT_INDEX; echo err >&2; exit 3'] });
    server.lease(order, [{ index: 0, attempt: 1, token: token() }]);
    const receipt = await server
      .receipt(({ job }) => job === order.order.job)
      .catch((error: unknown) => {
        throw new Error(`${String(error)}\n${agent.log()}`);
      });
    assert.equal(receipt.kind, 'ended');
    assert.equal(receipt.because, 'exit');
    assert.deepEqual(receipt.exit, { code: 3 });
    assert.equal(receipt.stdout.size, 6);
    assert.equal(receipt.order, order.digest);
  });
});
