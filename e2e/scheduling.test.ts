// needs: bubblewrap
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readAll } from '@writ/client';
import type { JobView, TaskView } from '@writ/contract';
import { startCluster, type Cluster } from '../testkit/src/start-cluster.ts';

describe('whose turn it is', { timeout: 180_000 }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster({
      agents: [
        { name: 'one', slots: 2, counters: ['licence'] },
        { name: 'two', slots: 1, labels: ['gpu'], counters: ['licence'] },
      ],
    });
  });
  after(async () => {
    await cluster.stop();
  });

  const writ = async (...argv: string[]): Promise<string> => (await cluster.person.must(argv)).trim();
  const submit = async (...argv: string[]): Promise<string> => await writ('submit', '-q', ...argv);
  const viewOf = (job: string): Promise<JobView> => cluster.client.readJob(job);
  const tasksOf = (job: string): Promise<TaskView[]> =>
    readAll((asked) => cluster.client.listTasks(job, asked));
  const until = async (job: string, is: (view: JobView) => boolean): Promise<JobView> => {
    for (;;) {
      const view = await viewOf(job);
      if (is(view)) return view;
      await sleep(25);
    }
  };
  const ended = (job: string): Promise<JobView> => until(job, (view) => view.ended !== null);
  const why = async (job: string) =>
    JSON.parse(await writ('why', job, '--json')) as {
      waitsFor: string | null;
      starts: string;
      agents: { name: string; state: string; isFit: boolean; because: string | null }[];
    };
  const onlyOnTwo = ['--agent', 'two'];

  test('of those that wait together the higher priority starts first, whenever it was submitted', async () => {
    await writ('queue', 'set', 'turns', '--most', '1');
    await writ('queue', 'pause', 'turns');
    const at = ['--queue', 'turns', ...onlyOnTwo];
    const late = await submit(...at, '--', 'true');
    const middle = await submit(...at, '--priority', '5', '--', 'true');
    const early = await submit(...at, '--', 'true');
    await writ('priority', early, '20');
    await writ('queue', 'set', 'turns', '--priority', '-50');
    const last = await submit(...at, '--', 'true');
    assert.equal((await viewOf(last)).priority, -50);
    assert.equal((await why(late)).starts, 'writ queue resume turns');
    await writ('queue', 'resume', 'turns');
    const ends = await Promise.all([early, middle, late, last].map(async (job) => await ended(job)));
    const times = ends.map((job) => Date.parse(job.started ?? ''));
    assert.deepEqual(
      times,
      times.toSorted((one, other) => one - other),
      times.join(' '),
    );
  });

  test('a job of a higher priority starts before what an agent holds and has not started', async () => {
    const low = await submit('--array', '0-9', ...onlyOnTwo, '--', 'sleep', '2');
    await until(low, ({ counts }) => counts.running > 0 && counts.leased > 0);
    await sleep(200);
    const high = await submit('--priority', '10', ...onlyOnTwo, '--', 'true');
    const { submitted, started } = await ended(high);
    await until(low, ({ counts }) => counts.running > 0);
    await writ('cancel', low, '--yes');
    await ended(low);
    const between = (await tasksOf(low)).filter(
      (task) => (task.started ?? '') > submitted && (task.started ?? '') < (started ?? ''),
    );
    assert.deepEqual(between, []);
    assert.deepEqual(
      new Set((await tasksOf(low)).map(({ attempt }) => attempt).filter((attempt) => attempt > 0)),
      new Set([1]),
    );
  });

  test('nothing of a held job starts; released, it does', async () => {
    const held = await submit('--hold', ...onlyOnTwo, '--', 'true');
    const after = await submit(...onlyOnTwo, '--', 'true');
    await ended(after);
    assert.deepEqual(await viewOf(held).then(({ state, waitsFor }) => [state, waitsFor]), [
      'waiting',
      'held',
    ]);
    assert.equal((await why(held)).starts, `writ release ${held.slice(0, 8)}`);
    await writ('release', held);
    assert.equal((await ended(held)).state, 'succeeded');
    const again = await cluster.person.writ(['hold', held]);
    assert.equal(again.exitCode, 1);
    assert.match(again.stderr, /conflict\.state/);
  });

  test('what an agent has of a job and has not started comes back when the job is held', async () => {
    const job = await submit('--array', '0-7', ...onlyOnTwo, '--', 'sleep', '1');
    await until(job, ({ counts }) => counts.running > 0 || counts.succeeded > 0);
    await writ('hold', job);
    const rest = await until(job, ({ counts }) => counts.leased === 0 && counts.running === 0);
    assert.ok(rest.counts.waiting > 0, JSON.stringify(rest.counts));
    assert.equal(rest.waitsFor, 'held');
    await writ('release', job);
    assert.equal((await ended(job)).counts.succeeded, 8);
    assert.deepEqual(new Set((await tasksOf(job)).map(({ attempt }) => attempt)), new Set([1]));
  });

  test('a queue with a limit runs no more at a time, though slots are free, and keeps others back from none', async () => {
    await writ('queue', 'set', 'narrow', '--most', '1');
    const narrow = await submit('--queue', 'narrow', '--array', '0-3', '--', 'sleep', '0.4');
    await until(narrow, ({ counts }) => counts.leased + counts.running > 0);
    const seen = await why(narrow);
    const wide = await submit('--', 'true');
    await ended(wide);
    assert.equal((await viewOf(narrow)).ended, null, 'the other one did not wait for it');
    await ended(narrow);
    const runs = (await tasksOf(narrow))
      .map(({ started, ended: end }) => [Date.parse(started ?? ''), Date.parse(end ?? '')] as const)
      .toSorted(([one], [other]) => one - other);
    for (const [n, [start]] of runs.entries())
      assert.ok(n === 0 || start >= (runs[n - 1]?.[1] ?? 0), JSON.stringify(runs));
    assert.ok(seen.waitsFor === null || seen.waitsFor === 'queue_limit', String(seen.waitsFor));
  });

  test('a queue that is not there is refused before anything is kept, one for others too', async () => {
    const before = (await cluster.client.listJobs({ limit: 1 })).items[0]?.id;
    const unknown = await cluster.person.writ(['submit', '--queue', 'defualt', '--', 'true']);
    assert.match(unknown.stderr, /queue\.unknown/);
    await cluster.client.setQueue('theirs', { isPaused: false, maxRunning: null, priority: 0, people: [] });
    const forbidden = await cluster.person.writ(['submit', '--queue', 'theirs', '--', 'true']);
    assert.match(forbidden.stderr, /queue\.forbidden/);
    assert.equal((await cluster.client.listJobs({ limit: 1 })).items[0]?.id, before);
    const [me] = cluster.sets.newest.set.persons;
    await writ('queue', 'set', 'theirs', '--person', me?.name ?? '');
    assert.equal((await ended(await submit('--queue', 'theirs', '--', 'true'))).state, 'succeeded');
    await writ('queue', 'remove', 'theirs');
    const gone = await cluster.person.writ(['submit', '--queue', 'theirs', '--', 'true']);
    assert.match(gone.stderr, /queue\.unknown/);
  });

  test('a drained agent gets nothing new, also after it and the server have started anew', async () => {
    await writ('agent', 'drain', 'two');
    const waiting = await submit(...onlyOnTwo, '--', 'true');
    const elsewhere = await submit('--', 'true');
    await ended(elsewhere);
    assert.deepEqual(
      (await tasksOf(elsewhere)).map(({ agent }) => agent),
      ['one'],
    );
    assert.equal((await why(waiting)).waitsFor, 'drained');
    await cluster.server.stop();
    await cluster.server.start();
    await until(waiting, ({ waitsFor }) => waitsFor === 'drained');
    assert.equal((await why(waiting)).starts, 'writ agent resume two');
    assert.match(await writ('agent', 'list'), /two\tdrained/);
    await writ('agent', 'resume', 'two');
    assert.equal((await ended(waiting)).state, 'succeeded');
  });

  test('what tasks share is taken from what the machine has: slots stay free, and another agent is not kept waiting', async () => {
    const job = await submit('--counter', 'licence', '--array', '0-5', '--', 'sleep', '0.5');
    await ended(job);
    const tasks = await tasksOf(job);
    assert.deepEqual(new Set(tasks.map(({ agent }) => agent)), new Set(['one', 'two']));
    for (const name of ['one', 'two']) {
      const runs = tasks
        .filter(({ agent }) => agent === name)
        .map(({ started, ended: end }) => [Date.parse(started ?? ''), Date.parse(end ?? '')] as const)
        .toSorted(([one], [other]) => one - other);
      for (const [n, [start]] of runs.entries())
        assert.ok(n === 0 || start >= (runs[n - 1]?.[1] ?? 0), `${name}: ${JSON.stringify(runs)}`);
    }
  });

  test('more than any machine has is waited for and not tried, and why says so', async () => {
    for (const asked of [
      ['--counter', 'licence=2'],
      ['--memory', '99T'],
      ['--cpus', '1024'],
    ]) {
      const job = await submit(...asked, '--', 'true');
      const said = await why(job);
      assert.equal(said.waitsFor, 'no_agent', asked.join(' '));
      assert.deepEqual(new Set(said.agents.map(({ because }) => because)), new Set(['machine.resources']));
      assert.match(said.starts, /--counter/);
      await writ('cancel', job, '--yes');
    }
  });

  test('of several variants an agent takes the first that fits its system, and fetches its inputs only', async () => {
    const folder = join(cluster.folder, 'variants');
    mkdirSync(folder);
    const texts: Record<string, string> = { mac: 'for darwin', mine: 'for linux', any: 'for any' };
    for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text);
    writeFileSync(
      join(folder, 'variants.json'),
      JSON.stringify([
        { os: 'darwin', command: ['cat', 'mac'], in: ['mac'] },
        { os: 'linux', command: ['sh', '-c', 'cat mine; echo " $HOW"'], in: ['mine'], env: { HOW: 'well' } },
        { command: ['cat', 'any'], in: ['any'] },
      ]),
    );
    const run = await cluster.person.must(['run', ...onlyOnTwo, '--variants', 'variants.json'], {
      cwd: folder,
    });
    assert.equal(run, 'for linux well\n');
    const blobs = readdirSync(join(cluster.agent('two').folder, 'agent', 'cache'), { recursive: true }).map(
      String,
    );
    const has = (text: string): boolean => {
      const hex = createHash('sha256').update(text).digest('hex');
      return blobs.some((path) => path.replaceAll('/', '').includes(hex));
    };
    assert.deepEqual(Object.values(texts).filter(has), ['for linux']);
    for (const [text, why] of [
      ['{', 'not JSON'],
      ['[]', 'fewer'],
      ['[{"os":"amiga","command":["true"]}]', 'os'],
    ] as const) {
      writeFileSync(join(folder, 'bad.json'), text);
      const bad = await cluster.person.writ(['submit', '--variants', 'bad.json'], { cwd: folder });
      assert.match(bad.stderr, /usage\.option/, why);
    }
    const both = await cluster.person.writ(['submit', '--variants', 'variants.json', '--', 'true'], {
      cwd: folder,
    });
    assert.match(both.stderr, /usage\.argument/);
  });

  test('why a job waits is said for each agent, with what would start it', async () => {
    const job = await submit('--label', 'fpga', '--', 'true');
    const said = await why(job);
    assert.equal(said.waitsFor, 'no_agent');
    assert.match(said.starts, /writ invite --label/);
    assert.deepEqual(
      said.agents.map(({ name, isFit, because }) => [name, isFit, because]),
      [
        ['one', false, 'machine.label'],
        ['two', false, 'machine.label'],
      ],
    );
    assert.match(await writ('why', job), /one\tfree\tdoes not fit\tmachine\.label: .*fpga/);
    await writ('cancel', job, '--yes');
    assert.equal((await why(job)).starts, 'It has ended.');
  });

  test('wrong words are refused with what to do', async () => {
    for (const [argv, code] of [
      [['submit', '--priority', '101', '--', 'true'], 'usage.option'],
      [['priority', 'last'], 'usage.argument'],
      [['priority', 'last', 'high'], 'usage.option'],
      [['queue', 'set', 'Night'], 'usage.argument'],
      [['queue', 'set', 'night', '--most', '0'], 'usage.option'],
      [['queue', 'set', 'night', '--person', 'nobody'], 'selector.none'],
      [['queue', 'remove', 'nowhere'], 'not_found'],
      [['agent', 'drain', 'nobody'], 'not_found'],
      [['why', 'zzzz'], 'selector.none'],
    ] as const) {
      const { exitCode, stderr } = await cluster.person.writ(argv);
      assert.notEqual(exitCode, 0);
      assert.match(stderr, new RegExp(code.replace('.', '\\.')), `${argv.join(' ')}: ${stderr}`);
    }
  });
});
