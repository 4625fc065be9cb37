// needs: bubblewrap
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCluster, type Cluster } from '../testkit/src/start-cluster.ts';

const PATIENCE_MS = 60_000;

let cluster: Cluster;
before(async () => {
  cluster = await startCluster({ agents: [{ name: 'one', slots: 1 }] });
});
after(async () => {
  await cluster?.stop();
});

const writ = async (...argv: string[]): Promise<string> => (await cluster.person.must(argv)).trim();
const run = async (queue: string): Promise<string> => {
  const job = await writ('submit', '-q', '--queue', queue, '--', 'echo', `kept by ${queue}`);
  await cluster.person.must(['wait', job]);
  return job;
};
const prune = async (...options: string[]) =>
  JSON.parse(await writ('prune', '--json', ...options)) as { jobs: number; tasks: number; receipts: number };

async function becomes(what: string, is: () => Promise<boolean>): Promise<void> {
  for (const until = performance.now() + PATIENCE_MS; !(await is());) {
    assert.ok(performance.now() < until, `not in ${PATIENCE_MS / 1000} s: ${what}`);
    await sleep(50);
  }
}

test('a queue keeps its jobs as long as it was told with --keep, the others theirs; what was removed says so', async () => {
  await writ('queue', 'set', 'brief', '--keep', '1s');
  await writ('queue', 'set', 'weekly', '--keep', '7d');
  const [brief, weekly, usual] = [await run('brief'), await run('weekly'), await run('default')];
  assert.equal(await writ('logs', brief), 'kept by brief');

  await becomes('its job is due', async () => (await prune('--dry-run')).jobs > 0);
  const removed = await prune();
  assert.deepEqual([removed.jobs, removed.tasks, removed.receipts], [1, 1, 1]);
  for (const verb of ['status', 'logs', 'get', 'wait']) {
    const asked = await cluster.person.writ([verb, brief]);
    assert.notEqual(asked.exitCode, 0, verb);
    assert.match(asked.stderr, /was removed after its time of keeping[^]*\[job\.removed\]/, verb);
  }
  for (const [job, queue] of [
    [weekly, 'weekly'],
    [usual, 'default'],
  ] as const)
    assert.equal(await writ('logs', job), `kept by ${queue}`);
  assert.equal((await prune()).jobs, 0);
});

test('what a queue keeps is asked when jobs are removed, not when they ended', async () => {
  await writ('queue', 'set', 'changing', '--keep', '1s');
  const job = await run('changing');
  await becomes('its job is due', async () => (await prune('--dry-run')).jobs === 1);
  await writ('queue', 'set', 'changing', '--keep', 'default');
  assert.equal((await prune()).jobs, 0);
  assert.equal((await cluster.client.readJob(job)).state, 'succeeded');
  await writ('queue', 'set', 'changing', '--keep', '1s');
  assert.equal((await prune()).jobs, 1);
  await assert.rejects(cluster.client.readJob(job), { code: 'job.removed' });
});
