import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import type { HostileServer, PaperCluster } from '../../../testkit/src/hostile-server.ts';
import { joinPaperCluster } from '../../../testkit/src/join-paper-cluster.ts';
import { makeFolder, removeFolder, runRealAgent } from '../../../testkit/src/run-real-agent.ts';
import type { RealAgent } from '../../../testkit/src/run-real-agent.ts';

describe('an agent whose launcher is killed while tasks run and others wait', () => {
  let cluster: PaperCluster;
  let server: HostileServer;
  let agent: RealAgent;
  const base = makeFolder();
  const tasks = [0, 1, 2, 3, 4].map((index) => ({ index, attempt: 1, token: { epoch: 1, n: index + 1 } }));
  const shared = join(base, 'shared');

  before(async () => {
    mkdirSync(shared);
    chmodSync(shared, 0o777);
    ({ cluster, server } = await joinPaperCluster(base, 2));
    agent = runRealAgent(base);
    await server.hear('hello', undefined, 30_000);
  });
  after(async () => {
    await agent.stop();
    await server.close();
    removeFolder(base);
  });

  it('hands back what had not started, starts nothing more, and says of what ran that it is lost', async () => {
    const order = cluster.order({
      argv: ['/bin/sh', '-c', `: > ${shared}/ran-$WRIT_INDEX-$WRIT_ATTEMPT; sleep 600`],
      array: { is: 'range', from: 0, to: 4 },
    });
    const ofOrder = <T extends { readonly job: string }>(all: readonly T[]): T[] =>
      all.filter(({ job }) => job === order.order.job);
    server.lease(order, tasks);
    for (const index of [0, 1])
      await server.hear(
        'started',
        (message) => ofOrder(message.tasks).some((task) => task.index === index),
        30_000,
      );

    process.kill(agent.launcherPid, 'SIGKILL');
    const { tasks: returned } = await server.hear('returned', undefined, 30_000);
    assert.deepEqual(
      ofOrder(returned).map(({ index }) => index),
      [2, 3, 4],
    );
    await agent.ended;
    assert.match(agent.log(), /agent\.launcher_lost/);

    agent = runRealAgent(base);
    const hellos = () => server.heard.filter(({ is }) => is === 'hello').length;
    for (let look = 0; look < 600 && hellos() < 2; look += 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(hellos(), 2);
    for (const index of [0, 1]) {
      const receipt = await server.receipt(
        (found) => ofOrder([found]).length > 0 && found.index === index,
        30_000,
      );
      assert.deepEqual([receipt.kind, receipt.because, receipt.exit], ['ended', 'lost', null]);
    }
    assert.deepEqual(
      [...new Set(ofOrder(server.receipts).map(({ index }) => index))],
      [0, 1],
      'some are sent twice',
    );

    // An attempt that was handed back was none: here too.
    server.lease(order, [{ index: 2, attempt: 1, token: { epoch: 1, n: 6 } }]);
    await server.hear(
      'started',
      (message) => ofOrder(message.tasks).some((task) => task.index === 2),
      30_000,
    );
    assert.ok(existsSync(join(shared, 'ran-2-1')));
    assert.equal(existsSync(join(shared, 'ran-3-1')), false);
  });
});
