// needs: bubblewrap
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCluster, type Cluster } from './start-cluster.ts';
import { readProcesses } from './read-processes.ts';

let cluster: Cluster;
before(async () => {
  cluster = await startCluster({
    leaseSeconds: 1,
    agents: [{ name: 'lab-1', slots: 2, profiles: ['bare'], labels: ['gpu'], isBehindProxy: true }],
  });
});
after(() => cluster.stop());

const listed = async () => (await cluster.client.listAgents()).items[0]!;

async function becomes(isConnected: boolean): Promise<void> {
  const until = performance.now() + 20_000;
  while ((await listed()).isConnected !== isConnected) {
    assert.ok(performance.now() < until, `the agent did not become ${isConnected ? '' : 'dis'}connected`);
    await sleep(20);
  }
}

test('an agent has what was wished for it, and is reached through its proxy', async () => {
  const agent = await listed();
  assert.equal(agent.name, 'lab-1');
  assert.equal(agent.slots, 2);
  assert.deepEqual(
    agent.profiles.map(({ profile }) => profile),
    ['bare'],
  );
  assert.deepEqual(agent.labels, [{ name: 'gpu', value: '' }]);
  assert.equal(agent.identity, cluster.agent('lab-1').identity);
  assert.equal(cluster.agent('lab-1').proxy?.open, 1);
});

test('the length of a lease is the one wished for', async () => {
  const remote = await cluster.openRemoteClient();
  const { fetch, url, token } = remote.server;
  const answer = await fetch(`${url}/api/v1/server`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(((await answer.json()) as { leaseSeconds: number }).leaseSeconds, 1);
});

test('a link that is cut comes back by itself', async () => {
  const { proxy } = cluster.agent('lab-1');
  proxy?.refuse();
  proxy?.cut();
  await becomes(false);
  proxy?.accept();
  await becomes(true);
});

test('an agent that is killed is gone with all it started, and can be started again', async () => {
  const agent = cluster.agent('lab-1');
  assert.ok(agent.kill() >= 3);
  await becomes(false);
  assert.deepEqual(agent.processes(), []);
  await agent.start();
  await becomes(true);
});

test('a server that is killed and started again is the same server', async () => {
  const before = await cluster.client.readCluster();
  assert.ok(cluster.server.kill() >= 1);
  await assert.rejects(cluster.client.readCluster(), { code: 'server.unreachable' });
  await cluster.server.start();
  const again = await cluster.client.readCluster();
  assert.equal(again.cluster, before.cluster);
  assert.deepEqual(again.agentAddresses, before.agentAddresses);
  await becomes(true);
});

test('after the end nothing runs and nothing is left', async () => {
  const { folder } = cluster;
  assert.deepEqual(await cluster.stop(), []);
  assert.deepEqual(readProcesses(folder), []);
  assert.equal(existsSync(folder), false);
});
