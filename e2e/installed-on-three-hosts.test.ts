// needs: bubblewrap, util-linux, iproute2, network-namespaces
// runs: alone
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildPackage } from '../scripts/build/build-package.ts';
import { runProgram } from '../scripts/test/run-program.ts';
import { type Host, type Hosts, NAME_OF_HOST, openHosts } from '../testkit/src/open-hosts.ts';

const checkout = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'writ-installed-'));
const PATIENCE_MS = 90_000;
/** Longer than what a command needs, and short enough that a test may wait for its end. */
const LEASE_SECONDS = 3;

/** As a person names a job's end and its tasks. */
interface Task {
  readonly index: number;
  readonly state: string;
  readonly attempt: number;
  readonly agent: string | null;
}
interface Result {
  readonly exitCode: number;
  readonly tasks: ReadonlyArray<{ index: number; attempt: number; agent: string; kind: string }>;
}

describe('the package, installed on three hosts', { timeout: 420_000 }, () => {
  const present = versionOfCheckout();
  const next = present.replace(/\d+$/, (patch) => String(Number(patch) + 1));
  let hosts: Hosts;
  let one: Host;
  let two: Host;
  let three: Host;

  before(async () => {
    const npm = npmFolder();
    const packed = await Promise.all([pack(present, npm), pack(next, npm)]);
    chmodSync(folder, 0o755);
    hosts = await openHosts(
      ['one', 'two', 'three'],
      [
        { from: process.execPath, to: '/opt/bin/node' },
        { from: npm, to: '/opt/npm' },
        ...packed.map((from, at) => ({ from, to: tarballs[at] ?? '' })),
      ],
    );
    [one, two, three] = hosts.all as [Host, Host, Host];
  });
  after(async () => {
    for (const host of hosts?.all.toReversed() ?? []) await host.run(['writ', 'down']);
    await hosts?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const writ = (host: Host, ...argv: string[]): Promise<string> => host.must(['writ', ...argv]);
  const status = async (job: string): Promise<{ state: string; tasks: Task[] }> => {
    const { job: shown, tasks } = JSON.parse(await writ(one, 'status', job, '--json')) as {
      job: { state: string };
      tasks: Task[];
    };
    return { state: shown.state, tasks };
  };
  const runningOn = async (job: string, host: Host): Promise<Task[]> =>
    (await status(job)).tasks.filter((task) => task.state === 'running' && task.agent === host.name);
  const agents = async (): Promise<Record<string, { isConnected: boolean; writ: string }>> => {
    const { agents: all } = JSON.parse(await writ(one, 'agent', 'list', '--json')) as {
      agents: { name: string; isConnected: boolean; writ: string }[];
    };
    return Object.fromEntries(all.map((agent) => [agent.name, agent]));
  };
  /** How many processes there have this in their command line, jobs included. */
  const count = async (host: Host, words: string): Promise<number> =>
    Number((await host.run(['pgrep', '-c', '-f', words])).stdout.trim());

  async function joinAndRun(host: Host): Promise<number> {
    const invite = (await writ(one, 'invite', '--name', host.name, '-q')).trim();
    const began = performance.now();
    await install(host, 0);
    await host.must(['writ', 'join', '-', '--slots', '2'], { input: `${invite}\n` });
    const said = await writ(one, 'run', '--agent', host.name, '--', ...WHERE);
    assert.equal(said.trim(), host.name);
    return performance.now() - began;
  }

  test('is one package: nothing else is installed with it, and a server starts from it', async () => {
    await install(one, 0);
    assert.equal((await one.must(['ls', '-A', '/opt/lib/node_modules'])).trim(), 'writ');
    assert.equal((await writ(one, '--version')).trim(), present);
    await writ(one, 'up', '--name', 'one', '--slots', '2', '--lease', `${LEASE_SECONDS}s`);
    assert.equal((await writ(one, 'run', '--', ...WHERE)).trim(), 'one');
  });

  test('two more machines join over the network by invites and run jobs', async (t) => {
    for (const host of [two, three]) {
      const ms = await joinAndRun(host);
      t.diagnostic(`${host.name}: from nothing to joined and a job run in ${(ms / 1000).toFixed(1)} s`);
    }
    const seen = await agents();
    assert.deepEqual(Object.keys(seen).toSorted(), ['one', 'three', 'two']);
    assert.match(await two.must(['ss', '-Hltn']), /^$/, 'a machine that joined opens no port');
  });

  test('a cable is out for longer than a lease: the machine stops by itself, others do its work, each result once', async () => {
    const job = (await writ(one, 'submit', '-q', '--array', '1-40', '--', ...staysOn('two', 86_399))).trim();
    await becomes('tasks run on the machine that will be cut off', async () => {
      return (await runningOn(job, two)).length > 0;
    });
    hosts.cut(two);
    const held = (await runningOn(job, two)).map(({ index }) => index);
    assert.ok((await count(two, 'sleep 86399')) > 0);
    await becomes('the machine that is cut off has stopped what it ran', async () => {
      return (await count(two, 'sleep 86399')) === 0;
    });
    const result = await wait(job);
    assert.equal(result.exitCode, 0);
    assert.deepEqual(
      result.tasks.map(({ index }) => index),
      Array.from({ length: 40 }, (_, at) => at + 1),
    );
    for (const task of result.tasks.filter(({ index }) => held.includes(index))) {
      assert.notEqual(task.agent, 'two', `task ${task.index} ended elsewhere`);
      assert.ok(task.attempt > 1);
    }
    hosts.heal(two);
    await becomes('the machine is back', async () => (await agents())['two']?.isConnected === true);
    assert.equal((await writ(one, 'run', '--agent', 'two', '--', ...WHERE)).trim(), 'two');
    const again = await wait(job);
    assert.deepEqual(again.tasks, result.tasks, 'nothing that came late took the place of a result');
  });

  test('server and agents are upgraded while jobs run, and no job is lost', async () => {
    // From here on with a lease that is longer than a server is away for an upgrade, also on a busy machine.
    await writ(one, 'down', '--keep-agent');
    await writ(one, 'up', '--name', 'one', '--lease', '2m');
    const lasting = (await writ(one, 'submit', '-q', '--agent', 'two', '--', 'sleep', '86397')).trim();
    const job = (
      await writ(one, 'submit', '-q', '--array', '1-40', '--', ...staysOn('three', 86_398))
    ).trim();
    await becomes('both run where they stay', async () => {
      return (await runningOn(job, three)).length > 0 && (await runningOn(lasting, two)).length > 0;
    });
    const before = (await two.must(['pgrep', '-f', 'sleep 86397'])).trim();

    await install(one, 1);
    assert.equal((await writ(one, '--version')).trim(), next);
    const old = await one.run(['writ', 'up', '--name', 'one']);
    assert.equal(old.exitCode, 0, old.stderr);
    assert.match(old.stderr, new RegExp(`server that runs here is writ ${present}, this program is ${next}`));
    assert.match(old.stderr, /writ down --keep-agent/);
    assert.equal((await writ(one, 'down', '--keep-agent', '-q')).trim(), 'server');
    await writ(one, 'up', '--name', 'one');
    const cluster = JSON.parse(await writ(one, 'status', '--json')) as { writ: string };
    assert.equal(cluster.writ, next);
    assert.equal((await status(job)).state, 'running', 'it had not ended meanwhile');
    await becomes('every agent is back', async () =>
      Object.values(await agents()).every(({ isConnected }) => isConnected),
    );
    assert.equal((await two.must(['pgrep', '-f', 'sleep 86397'])).trim(), before);
    assert.equal((await status(lasting)).tasks[0]?.attempt, 1, 'what ran goes on as it was');

    await install(three, 1);
    assert.equal((await writ(three, 'down', '-q')).trim(), 'agent');
    assert.equal((await writ(three, 'agent', 'start', '-q')).trim(), 'three');
    assert.match((await three.run(['writ', 'agent', 'start', '--json'])).stdout, /"wasRunning":true/);
    const result = await wait(job);
    assert.equal(result.exitCode, 0);
    assert.equal(result.tasks.length, 40);
    const seen = await agents();
    assert.deepEqual([seen['one']?.writ, seen['two']?.writ, seen['three']?.writ], [present, present, next]);
    for (const host of hosts.all)
      assert.equal((await writ(one, 'run', '--agent', host.name, '--', ...WHERE)).trim(), host.name);
    await writ(one, 'cancel', lasting, '--yes');
  });

  async function wait(job: string): Promise<Result> {
    return JSON.parse(await writ(one, 'wait', job, '--json')) as Result;
  }
});

/** Prints on which host it runs. */
const WHERE = ['cat', NAME_OF_HOST];
/** Each task prints its number, but one that starts on that host first stays there until it is ended. */
const staysOn = (host: string, seconds: number): string[] => [
  'sh',
  '-c',
  `test "$(cat ${NAME_OF_HOST}).$WRIT_ATTEMPT" = ${host}.1 && exec sleep ${seconds}; sleep 0.2; echo $WRIT_INDEX`,
];

const tarballs = ['/srv/present.tgz', '/srv/next.tgz'] as const;

async function install(host: Host, which: 0 | 1): Promise<void> {
  const npm = ['node', '/opt/npm/bin/npm-cli.js', 'install', '--global', '--prefix', '/opt'];
  await host.must([...npm, '--offline', '--ignore-scripts', '--no-audit', '--no-fund', tarballs[which]]);
}

async function pack(version: string, npm: string): Promise<string> {
  const to = join(folder, version);
  await buildPackage(checkout, to, version);
  const line = [process.execPath, join(npm, 'bin', 'npm-cli.js'), 'pack', '--silent'] as const;
  const ended = await runProgram([...line, '--pack-destination', folder], { cwd: to, minutes: 1 });
  assert.equal(ended.exitCode, 0, ended.output);
  return join(folder, ended.output.trim().split('\n').at(-1) ?? '');
}

/** The npm that is on the path here. */
function npmFolder(): string {
  for (const bin of (process.env['PATH'] ?? '').split(delimiter))
    try {
      return dirname(dirname(realpathSync(join(bin, 'npm'))));
    } catch {
      // not in this folder
    }
  throw new Error('npm is not on the path');
}

function versionOfCheckout(): string {
  const manifest = readFileSync(join(checkout, 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

async function becomes(what: string, look: () => Promise<boolean>): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (!(await look())) {
    assert.ok(performance.now() < until, `never: ${what}`);
    await sleep(50);
  }
}
