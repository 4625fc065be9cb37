// needs: bubblewrap
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCluster, type Cluster } from '../testkit/src/start-cluster.ts';

let cluster: Cluster;
before(async () => {
  cluster = await startCluster();
});
after(() => cluster?.stop());

const say = `node -e 'require("net").connect(process.env.WRIT_JOB_API).end(process.argv[1] + "\\n").pipe(process.stdout)'`;

test('a job in its sandbox tells progress by its socket, and who asks for its status sees it', async () => {
  const { person } = cluster;
  const script = `${say} "progress 0.4 four of ten"; exec sleep 60`;
  const job = (await person.must(['submit', '-q', '--', 'sh', '-c', script])).trim();
  const seen = async () => {
    const { tasks } = JSON.parse(await person.must(['status', job, '0', '--json'])) as {
      tasks: ReadonlyArray<{ state: string; progress: unknown }>;
    };
    return tasks[0];
  };
  const until = AbortSignal.timeout(60_000);
  let task = await seen();
  while (task?.progress == null && !until.aborted) {
    await sleep(100);
    task = await seen();
  }
  assert.deepEqual(task?.progress, { thousandths: 400, message: 'four of ten' });
  await person.must(['cancel', job, '--yes']);
});

test('an output that a job named is fetched, and one that nobody asked for is refused', async () => {
  const { person } = cluster;
  const folder = join(person.home, 'named');
  mkdirSync(folder);
  const script = `mkdir out; echo a >out/a; echo b >.bashrc; ${say} "output out/a"; ${say} "output .bashrc"; echo $WRIT_JOB_API`;
  const out = await person.must(['run', '--out', 'out/', '--', 'sh', '-c', script], { cwd: folder });
  assert.match(out, /^ok\nerror job_api\.not_ordered [^\n]+\n\/writ\/job\.sock\n/);
  assert.equal(readFileSync(join(folder, 'out/a'), 'utf8'), 'a\n');
  assert.ok(!existsSync(join(folder, '.bashrc')));
  const broken = await person.writ(['run', '--out', 'out/', '--', 'sh', '-c', `${say} "output out/b"`], {
    cwd: folder,
  });
  assert.equal(broken.exitCode, 125, broken.stderr);
  assert.match(broken.stderr, /output_missing|out\/b|must be there/);
});
