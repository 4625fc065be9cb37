import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LINK_ROUTES, PAYLOAD_TYPES } from '@writ/contract';
import type { SignerSet } from '@writ/contract';
import { newId, newSeed, seal, signerFromSeed } from '@writ/trust';
import type { HostileServer, PaperCluster } from '../../../testkit/src/hostile-server.ts';
import { joinPaperCluster } from '../../../testkit/src/join-paper-cluster.ts';
import { makeFolder, removeFolder, runRealAgent } from '../../../testkit/src/run-real-agent.ts';
import type { RealAgent } from '../../../testkit/src/run-real-agent.ts';

const random = (bytes: Uint8Array<ArrayBuffer>): unknown => crypto.getRandomValues(bytes);

describe('an agent that starts, and whose key of admission is then declared compromised', () => {
  let cluster: PaperCluster;
  let server: HostileServer;
  let agent: RealAgent;
  const base = makeFolder();
  const left = join(base, 'agent/outputs/a-job.0.1');

  before(async () => {
    ({ cluster, server } = await joinPaperCluster(base, 1));
    mkdirSync(left, { recursive: true });
    writeFileSync(join(left, '0'), 'half an output');
    agent = runRealAgent(base, 1);
    await server.hear('hello', undefined, 30_000);
  });
  after(async () => {
    await agent.stop();
    await server.close();
    removeFolder(base);
  });

  it('has thrown away the copies of outputs that were being sent when it was killed', () => {
    assert.equal(existsSync(left), false);
  });

  it('stops what runs under that key, although its own admission no longer counts', async () => {
    const order = cluster.order({ argv: ['/bin/sleep', '600'] });
    server.lease(order, [{ index: 0, attempt: 1, token: { epoch: 1, n: 1 } }]);
    await server.hear('started', ({ tasks }) => tasks.some(({ job }) => job === order.order.job), 30_000);

    const { nonce: _nonce, ...first } = cluster.sets.newest.set as SignerSet & { nonce?: string };
    const [ana] = first.persons;
    const bob = { id: newId(random), signer: signerFromSeed(newSeed(random)) };
    const bobs = { ...ana!.keys[0]!, key: bob.signer.key, name: 'bobs-pc' };
    const withBob = {
      ...first,
      cluster: cluster.sets.cluster,
      version: 2,
      previous: cluster.sets.newest.digest,
      time: Date.now(),
      persons: [ana!, { ...ana!, id: bob.id, name: 'bob', keys: [bobs] }],
      changers: [ana!.id, bob.id],
    };
    const second = seal(PAYLOAD_TYPES.signerSet, withBob, [cluster.person.signer]);
    const ended = { is: 'compromised', since: first.time, running: 'stop', kept: [] };
    const withoutAna = {
      ...withBob,
      version: 3,
      previous: second.digest,
      time: Date.now(),
      persons: [{ ...ana!, keys: ana!.keys.map((key) => ({ ...key, ended })) }, withBob.persons[1]!],
      changers: [bob.id],
    };
    const third = seal(PAYLOAD_TYPES.signerSet, withoutAna, [bob.signer]);
    server.answer = (method, path) =>
      method === 'GET' && path.startsWith(LINK_ROUTES.sets)
        ? { status: 200, body: JSON.stringify({ sets: [second.envelope, third.envelope], freshness: null }) }
        : undefined;
    server.send({ is: 'set', set: { version: 3, digest: third.digest } });

    const receipt = await server.receipt(({ job }) => job === order.order.job, 60_000);
    assert.equal(receipt.because, 'cancelled');
    assert.match(agent.log(), /signers\.not_fetched/);
  });
});
