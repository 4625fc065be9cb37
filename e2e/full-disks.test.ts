// needs: bubblewrap, util-linux, network-namespaces
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildOrder, type ClientError } from '@writ/client';
import { setRef, signOrder } from '@writ/trust';
import { digestOf } from '@writ/trust/digest';
import { startEffectLog, type EffectLog } from '../testkit/src/effect-log.ts';
import { randomId } from '../testkit/src/make-order.ts';
import { isProgram } from '../testkit/src/read-processes.ts';
import { fillDisk, growSmallDisk } from '../testkit/src/small-disk.ts';
import { startCluster, type Cluster } from '../testkit/src/start-cluster.ts';

const MIB = 1024 * 1024;
const PATIENCE_MS = 60_000;
const FULL = /full.* writ prune --dry-run/;

let cluster: Cluster;
let effects: EffectLog;
/** Everything that the server said it has. */
const acknowledged: string[] = [];

before(async () => {
  effects = await startEffectLog();
  cluster = await startCluster({ diskMib: 64, agents: [{ name: 'small', slots: 2, diskMib: 48 }] });
});
after(async () => {
  await cluster?.stop();
  await effects?.stop();
});

test('a server whose disk gets full refuses in words, loses nothing, and goes on when jobs are pruned or the disk grows', async (t) => {
  const server = pidOf('server');
  let talkative = '';
  await t.test('files and jobs are taken until the reserve is reached', async () => {
    talkative = await submit(['sh', '-c', `head -c ${8 * MIB} /dev/zero`]);
    await ended(talkative);
    for (const size of [4 * MIB, MIB, 64 * 1024]) await sendUntilFull(size);
    await submitUntilFull();
    for (const job of acknowledged) await ended(job);
  });

  await t.test('pruning makes room, says how much, and says it before', async () => {
    let would = await prune('--dry-run');
    await becomes('all of them ended a second ago', async () => {
      would = await prune('--dry-run');
      return would.jobs === acknowledged.length;
    });
    assert.equal((await cluster.client.readJob(talkative)).state, 'succeeded');
    const did = await prune();
    assert.deepEqual({ ...would, isDryRun: false }, did);
    assert.ok(did.bytes >= 8 * MIB && did.jobs === acknowledged.length, JSON.stringify(did));
    for (const verb of ['status', 'get', 'logs', 'wait', 'cancel', 'why']) {
      const asked = await cluster.person.writ([verb, talkative]);
      assert.notEqual(asked.exitCode, 0);
      assert.match(asked.stderr, /was removed after its time of keeping[^]*\[job\.removed\]/, verb);
    }
    acknowledged.length = 0;
    await becomes('a job is taken again', async () => (await trySubmit(['true'])) !== null);
  });

  await t.test('a result that comes while nothing can be written is kept and taken later', async () => {
    const job = await submit(effects.command(2_000, 'ends-on-a-full-disk'));
    await becomes('it runs', () => effects.alive().length > 0);
    const giveBack = fillDisk(cluster.server.folder);
    assert.equal(await trySubmit(['true']), null);
    await becomes('it has ended', () => effects.alive().length === 0);
    growSmallDisk(cluster.server.folder, 128);
    await ended(job);
    await becomes('jobs are taken', async () => (await trySubmit(['true'])) !== null);
    giveBack();
  });

  for (const job of acknowledged) {
    await ended(job);
    assert.equal((await cluster.client.readJob(job)).state, 'succeeded');
  }
  assert.equal(pidOf('server'), server, 'it was not started anew');
});

test('an agent whose disk is full starts nothing that does not fit, stays, and runs it when there is room', async () => {
  const agent = cluster.agent('small');
  const pid = pidOf('agent');
  const file = join(cluster.folder, 'input');
  writeFileSync(file, randomBytes(2 * MIB));
  const giveBack = fillDisk(agent.folder);
  const argv = effects.command(50, 'reads-its-input');
  const printed = await cluster.person.must(
    ['submit', '--in', 'input', '--network', '--json', '--', ...argv],
    { cwd: cluster.folder },
  );
  const { job } = JSON.parse(printed) as { job: string };
  const attempts = async () => (await cluster.client.listReceipts(job)).items;
  await becomes('the agent has said that it cannot', async () => (await attempts()).length > 0);
  const startedWhileFull = effects.effects.filter((effect) => effect.job === job).length;
  giveBack();
  assert.equal(startedWhileFull, 0);
  await ended(job);
  assert.equal((await cluster.client.readJob(job)).state, 'succeeded');
  assert.ok((await attempts()).length > 1, 'the first attempt was not the last');
  const next = await submit(effects.command(50, 'comes-after'));
  await ended(next);
  assert.equal((await cluster.client.readJob(next)).state, 'succeeded');
  assert.equal(pidOf('agent'), pid, 'it was not started anew');
});

async function sendUntilFull(size: number): Promise<void> {
  for (;;) {
    const bytes = new Uint8Array(randomBytes(size));
    const sha256 = createHash('sha256').update(bytes).digest('base64');
    try {
      await cluster.client.appendUpload(digestOf(bytes), { offset: 0, length: size, bytes, sha256 });
    } catch (error) {
      return isFull(error);
    }
  }
}

async function submitUntilFull(): Promise<void> {
  const padding = 'x'.repeat(100 * 1024);
  while ((await trySubmit(['true', padding])) !== null);
}

/** Null when the disk is too full, and then in words. */
async function trySubmit(argv: readonly string[]): Promise<string | null> {
  try {
    return await submit(argv);
  } catch (error) {
    isFull(error);
    return null;
  }
}

function isFull(error: unknown): void {
  const { code, message } = error as ClientError;
  assert.equal(code, 'storage.full', String(error));
  assert.match(message, FULL);
}

async function submit(argv: readonly string[]): Promise<string> {
  const { sets, key, client } = cluster;
  const job = randomId();
  const order = buildOrder(
    { argv, network: true },
    {
      cluster: sets.cluster,
      set: setRef(sets.newest),
      person: key.person,
      key: key.signer.key,
      job,
      now: Date.now(),
    },
  );
  await client.submitJob(signOrder(order, key.signer).envelope, job);
  acknowledged.push(job);
  return job;
}

async function prune(...options: string[]) {
  const printed = await cluster.person.must(['prune', '--older-than', '1s', '--json', ...options]);
  return JSON.parse(printed) as { isDryRun: boolean; jobs: number; bytes: number };
}

const ended = (job: string) =>
  becomes('a job ends', async () => (await cluster.client.readJob(job)).ended !== null);

const pidOf = (program: 'server' | 'agent'): number | undefined =>
  cluster.processes().find((one) => isProgram(one, program))?.pid;

async function becomes(what: string, is: () => Promise<boolean> | boolean): Promise<void> {
  for (const until = performance.now() + PATIENCE_MS; !(await is());) {
    assert.ok(performance.now() < until, `not in ${PATIENCE_MS / 1000} s: ${what}`);
    await sleep(20);
  }
}
