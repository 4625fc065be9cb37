// needs: bubblewrap, strace
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildOrder, submitJob } from '@writ/client';
import { setRef, signOrder } from '@writ/trust';
import { startEffectLog, type EffectLog } from '../testkit/src/effect-log.ts';
import { randomId } from '../testkit/src/make-order.ts';
import { isProgram } from '../testkit/src/read-processes.ts';
import { startCluster, type Cluster } from '../testkit/src/start-cluster.ts';

const DELAY_MS = 1_500;
const PATIENCE_MS = 60_000;

let cluster: Cluster;
let effects: EffectLog;

before(async () => {
  effects = await startEffectLog();
  cluster = await startCluster({ agents: [{ name: 'slow-disk', slots: 2 }] });
});
after(async () => {
  await cluster?.stop();
  await effects?.stop();
});

test('a job starts after its record is on disk, and not before', async () => {
  const job = randomId();
  let submitted = 0;
  await withSlowDisk(`delay_enter=${DELAY_MS * 1000}`, async () => {
    submitted = performance.now();
    await submit(job);
    await becomes('it has started', () => startOf(job) !== undefined);
  });
  const waited = (startOf(job) ?? 0) - submitted;
  assert.ok(waited >= DELAY_MS, `it started ${waited} ms after it was submitted`);
  await becomes('it ends', async () => (await cluster.client.readJob(job)).ended !== null);
  assert.equal((await cluster.client.readJob(job)).state, 'succeeded');
});

test('what cannot be recorded is not started', async () => {
  const job = randomId();
  await withSlowDisk('error=EIO', async () => {
    await submit(job);
    // The refusal is a receipt, and cannot be made durable either: the lease ends without a word.
    await sleep(DELAY_MS);
  });
  assert.equal(startOf(job), undefined);
});

/** When each start of a task was seen: nothing of Writ stands between. */
const starts = new Map<string, number>();
function startOf(job: string): number | undefined {
  for (const effect of effects.effects)
    if (!starts.has(effect.job)) starts.set(effect.job, performance.now());
  return starts.get(job);
}

/** Each fdatasync of the agent meets that fault, as it would with a disk that has it. */
async function withSlowDisk(fault: string, act: () => Promise<void>): Promise<void> {
  const agent = cluster
    .agent('slow-disk')
    .processes()
    .find((one) => isProgram(one, 'agent'));
  assert.ok(agent);
  const tracer = spawn(
    'strace',
    ['-f', '-qq', '-p', String(agent.pid), '-e', 'trace=fdatasync', '-e', `inject=fdatasync:${fault}`],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = once(tracer, 'exit');
  let said = '';
  tracer.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()));
  try {
    // All of its threads are held by then.
    await sleep(1_000);
    assert.equal(tracer.exitCode, null, said);
    await act();
    assert.match(said, /fdatasync\(.*INJECTED|fdatasync\(.*DELAYED/, 'it was met');
  } finally {
    tracer.kill('SIGINT');
    await ended;
  }
}

async function submit(job: string): Promise<void> {
  const { sets, key, client } = cluster;
  const order = buildOrder(
    { argv: effects.command(50, `recorded-${job}`), network: true, maxAttempts: 1 },
    {
      cluster: sets.cluster,
      set: setRef(sets.newest),
      person: key.person,
      key: key.signer.key,
      job,
      now: Date.now(),
    },
  );
  await submitJob(
    client,
    { ...signOrder(order, key.signer), job },
    { signal: AbortSignal.timeout(PATIENCE_MS), wait: (milliseconds) => sleep(milliseconds) },
  );
}

async function becomes(what: string, is: () => Promise<boolean> | boolean): Promise<void> {
  for (const until = performance.now() + PATIENCE_MS; !(await is());) {
    assert.ok(performance.now() < until, `not in ${PATIENCE_MS / 1000} s: ${what}`);
    await sleep(5);
  }
}
