// needs: bubblewrap
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCluster, type Cluster } from '../testkit/src/start-cluster.ts';

const LINES = 80;
const PATIENCE_MS = 60_000;

let cluster: Cluster;
before(async () => {
  cluster = await startCluster({ agents: [{ name: 'one', slots: 2 }] });
});
after(async () => {
  await cluster?.stop();
});

/** Says a line, and the same on the other stream, until it has said all of them. */
const SAYS = `for at in $(seq ${LINES}); do echo "line $at"; echo "also $at" >&2; sleep 0.05; done`;
const linesOf = (word: string): string =>
  Array.from({ length: LINES }, (_none, at) => `${word} ${at + 1}\n`).join('');

async function becomes(what: string, is: () => boolean): Promise<void> {
  for (const until = performance.now() + PATIENCE_MS; !is();) {
    assert.ok(performance.now() < until, `not in ${PATIENCE_MS / 1000} s: ${what}`);
    await sleep(25);
  }
}

test('who follows a log gets each line once, also when the server is killed in the middle of it', async () => {
  const submitted = await cluster.person.must(['submit', '-q', '--', 'sh', '-c', SAYS]);
  const job = submitted.trim();
  let shown = '';
  const following = cluster.person.writ(['logs', '-f', job], { onStdout: (text) => (shown += text) });
  await becomes('a part of it is shown', () => shown.includes('line 10\n'));
  assert.ok(cluster.server.kill() > 0);
  await cluster.server.start();
  const { exitCode, stdout, stderr } = await following;
  assert.equal(exitCode, 0, stderr);
  assert.equal(stdout, linesOf('line'));
  assert.equal(stderr.split('\n').filter((line) => line.startsWith('also ')).length, LINES, stderr);
});

test('writ run shows what its job says, each line once', async () => {
  const { exitCode, stdout, stderr } = await cluster.person.writ([
    'run',
    '--',
    'sh',
    '-c',
    `${SAYS}; exit 3`,
  ]);
  assert.equal(exitCode, 3, stderr);
  assert.equal(stdout, linesOf('line'));
  assert.ok(stderr.includes('also 80\n') && !stderr.includes('also 81'), stderr);
});
