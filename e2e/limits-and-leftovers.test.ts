// needs: bubblewrap
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancelJob, readResults, readVerifiedJob, submitJob } from '@writ/client';
import type { Order, ReceiptPredicate } from '@writ/contract';
import { openOrder } from '@writ/trust';
import { makeSignedOrder } from '../testkit/src/make-order.ts';
import { isProgram } from '../testkit/src/read-processes.ts';
import { startCluster, type AgentMember, type Cluster } from '../testkit/src/start-cluster.ts';

const MIB = 1024 * 1024;
const PATIENCE_MS = 60_000;
/** In the command line of everything that the hostile jobs start. */
const MARK = `hostile-job-of-${process.pid}`;
/** Lives as long as the agent's renewals reach the server. */
const LEASE_SECONDS = 2;

let cluster: Cluster;
let agent: AgentMember;
let neighbour: Submitted;
let clean: Leftovers;

before(async () => {
  cluster = await startCluster({
    leaseSeconds: LEASE_SECONDS,
    agents: [{ name: 'limits-one', slots: 2 }],
  });
  agent = cluster.agent('limits-one');
  const once = [0, 1].map(() => submit(['/bin/sh', '-c', 'sleep 0.3']));
  for (const one of await Promise.all(once)) assert.equal((await resultOf(one)).because, 'exit');
  neighbour = await submit(['/bin/sh', '-c', 'while :; do date +%s%3N; sleep 0.1; done']);
  await becomes('the neighbour runs', async () => (await stateOf(neighbour)) === 'running');
  clean = look();
});
after(async () => {
  await cluster?.stop();
});

interface Submitted {
  readonly job: string;
  readonly sealed: ReturnType<typeof makeSignedOrder>;
}

async function submit(
  argv: readonly string[],
  limits: Partial<Order['limits']> = {},
  changes: Partial<Order> = {},
): Promise<Submitted> {
  const person = { id: cluster.key.person, signer: cluster.key.signer };
  const { order } = makeSignedOrder(cluster.sets, person);
  const sealed = makeSignedOrder(cluster.sets, person, {
    limits: { ...order.limits, cancelGraceSeconds: 1, ...limits },
    runs: {
      is: 'command',
      variants: [
        {
          platform: { os: null, arch: null },
          command: { argv: [...argv], variables: [], inputs: { is: 'list', files: [] }, secrets: [] },
        },
      ],
    },
    maxAttempts: 1,
    ...changes,
  });
  const { job } = sealed.order;
  await submitJob(
    cluster.client,
    { ...sealed, job },
    { signal: AbortSignal.timeout(PATIENCE_MS), wait: (milliseconds) => sleep(milliseconds) },
  );
  return { job, sealed };
}

/** Of the one task, as the server tells it. */
async function stateOf({ job }: Submitted): Promise<string> {
  return (await cluster.client.listTasks(job, { limit: 1 })).items[0]?.state ?? 'waiting';
}

/** What an admitted agent signed about it. */
async function resultOf(submitted: Submitted): Promise<ReceiptPredicate> {
  await becomes('it ends', async () => (await cluster.client.readJob(submitted.job)).ended !== null);
  const { job, sealed } = submitted;
  const verified = await readVerifiedJob(cluster.client, {
    job,
    sets: cluster.sets,
    kept: sealed.envelope,
  });
  for await (const { predicate } of readResults(cluster.client, verified)) return predicate;
  throw new Error(`no receipt of ${job}`);
}

async function becomes(what: string, is: () => Promise<boolean> | boolean): Promise<void> {
  for (const until = performance.now() + PATIENCE_MS; !(await is());) {
    assert.ok(performance.now() < until, `not in ${PATIENCE_MS / 1000} s: ${what}`);
    await sleep(50);
  }
}

interface Leftovers {
  /** Command lines of hostile jobs. */
  readonly processes: readonly string[];
  /** Where the launcher has mounted something. */
  readonly mounts: readonly string[];
  readonly cgroups: readonly string[];
}

function look(): Leftovers {
  const launcher = agent.processes().find((one) => isProgram(one, 'launcher'));
  assert.ok(launcher, 'the launcher runs');
  return {
    processes: readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .map((name) => readText(`/proc/${name}/cmdline`).replaceAll('\0', ' '))
      .filter((line) => line.includes(MARK)),
    mounts: readText(`/proc/${launcher.pid}/mountinfo`)
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .toSorted(),
    cgroups: cgroupFolders(),
  };
}

/** Below the places of all agents of this machine: only those of this one's slots are looked at. */
function cgroupFolders(): string[] {
  const roots = ['pids', 'memory', 'freezer', 'cpu', '.'].map((name) => join('/sys/fs/cgroup', name, 'writ'));
  return roots
    .filter((root) => existsSync(root))
    .flatMap((root) =>
      readdirSync(root, { recursive: true, encoding: 'utf8' })
        .filter((name) => name.includes(agentFolder()) && !/\.[a-z_]+$|tasks$|\/notify/.test(name))
        .filter((name) => !basename(name).includes('.'))
        .map((name) => join(root, name)),
    )
    .toSorted();
}

let named: string | undefined;
/** What the launcher calls its cgroups: it says so in no file, so the slots' own processes tell. */
function agentFolder(): string {
  if (named !== undefined) return named;
  for (const { pid } of agent.processes()) {
    const found = /:\/writ\/([^/\n]+)\//.exec(readText(`/proc/${pid}/cgroup`));
    if (found?.[1]) return (named = found[1]);
  }
  throw new Error('no process of the agent is in a cgroup of its own');
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

async function isClean(): Promise<void> {
  let now = look();
  for (const until = performance.now() + 5000; performance.now() < until; now = look()) {
    if (JSON.stringify(now) === JSON.stringify(clean)) return;
    await sleep(50);
  }
  assert.deepEqual(now, clean);
}

const shell = (script: string): string[] => ['/bin/sh', '-c', `: ${MARK}; ${script}`];

describe('a hostile job', () => {
  const cases: readonly (readonly [
    what: string,
    because: ReceiptPredicate['because'],
    argv: readonly string[],
    limits: Partial<Order['limits']>,
  ])[] = [
    ['a fork bomb', 'pid_limit', shell('f() { f | f & }; f; sleep 2'), { pids: 64, timeSeconds: 10 }],
    [
      'one that takes all memory',
      'memory_limit',
      ['node', '-e', `const a=[];for(;;)a.push(Buffer.alloc(4e6,1)) // ${MARK}`],
      { memoryBytes: 96 * MIB },
    ],
    [
      'many that take all memory together',
      'memory_limit',
      shell(
        'for i in 1 2 3; do node -e "const a=[];for(;;)a.push(Buffer.alloc(1e6,1))" & done; wait; exit 0',
      ),
      { memoryBytes: 160 * MIB },
    ],
    [
      'one that fills its disk',
      'disk_limit',
      shell('head -c 90000000 /dev/zero > big'),
      { diskBytes: 4 * MIB },
    ],
    [
      'one that spins on every core',
      'cpu_limit',
      shell('while :; do :; done & while :; do :; done'),
      { cpuSeconds: 1 },
    ],
    ['one that floods its log', 'log_limit', ['/usr/bin/yes', MARK], { logBytes: MIB }],
    [
      'one that does not end, nor on SIGTERM',
      'time_limit',
      shell('trap "" TERM; while :; do sleep 0.1; done'),
      { timeSeconds: 1 },
    ],
    [
      'one that leaves a daemon behind',
      'exit',
      shell(`(setsid sh -c "trap '' TERM HUP; sleep 9471; : ${MARK}" > /dev/null 2>&1 &) ; exit 0`),
      {},
    ],
  ];
  for (const [what, because, argv, limits] of cases) {
    test(`${what} ends with ${because} and leaves nothing behind`, async () => {
      const receipt = await resultOf(await submit(argv, limits));
      assert.equal(receipt.because, because, JSON.stringify(receipt.exit));
      assert.equal(receipt.kind, 'ended');
      assert.equal(await stateOf(neighbour), 'running');
      await isClean();
    });
  }

  test('that is cancelled ends with all that it started', async () => {
    const job = await submit(
      shell(`trap "" TERM; (setsid sleep 9472 &); echo on; while :; do sleep 0.1; done`),
    );
    await becomes('it runs', async () => (await stateOf(job)) === 'running');
    await cancelJob(cluster.client, {
      order: openOrder(job.sealed.envelope, cluster.sets),
      sets: cluster.sets,
      indexes: null,
      how: 'terminate',
      now: Date.now(),
      by: { person: cluster.key.person, signer: cluster.key.signer },
    });
    assert.equal((await resultOf(job)).because, 'cancelled');
    await isClean();
  });

  test('goes on when its person presses Ctrl-C where nobody can be asked, and ends when it is cancelled', async () => {
    const { person } = cluster;
    const script = 'echo begun; while :; do sleep 0.1; done';
    const child = spawn(process.execPath, [person.program, 'run', '--', ...shell(script)], {
      cwd: person.home,
      env: { ...person.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = text(child.stderr);
    const code = new Promise((resolve) => void child.once('close', resolve));
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (chunk) => {
        if (String(chunk).includes('begun')) resolve();
      });
    });
    const submitted = (await cluster.client.listJobs({ limit: 1 })).items[0];
    assert.ok(submitted);
    child.kill('SIGINT');
    assert.equal(await code, 130, await said);
    assert.match(await said, /\[interrupted\]/);
    assert.equal((await cluster.client.readJob(submitted.id)).state, 'running');
    assert.ok(look().processes.length > 0);
    await person.must(['cancel', submitted.id, '--yes']);
    const waited = await person.writ(['wait', submitted.id]);
    assert.notEqual(waited.exitCode, 0);
    await isClean();
  });

  test('has not disturbed the job beside it, nor the renewals of its lease', async (t) => {
    await cancelJob(cluster.client, {
      order: openOrder(neighbour.sealed.envelope, cluster.sets),
      sets: cluster.sets,
      indexes: null,
      how: 'kill',
      now: Date.now(),
      by: { person: cluster.key.person, signer: cluster.key.signer },
    });
    const receipt = await resultOf(neighbour);
    assert.equal(receipt.because, 'cancelled');
    assert.equal(receipt.attempt, 1);
    const log = await cluster.person.must(['logs', neighbour.job]);
    const times = log.trim().split('\n').map(Number);
    const gaps = times
      .slice(1)
      .map((time, at) => time - (times[at] ?? 0))
      .toSorted((a, b) => a - b);
    const p99 = gaps[Math.floor(gaps.length * 0.99)] ?? Infinity;
    t.diagnostic(`${times.length} signs of life, gaps: p99 ${p99} ms, longest ${gaps.at(-1)} ms`);
    assert.ok(times.length > 20);
    assert.ok(p99 < 2000, `p99 of the gaps is ${p99} ms`);
    const lived = (times.at(-1) ?? 0) - (times[0] ?? 0);
    assert.ok(lived > 2 * LEASE_SECONDS * 1000, `it lived ${lived} ms`);
  });

  test('leaves no cgroup and no mount when the agent stops', async () => {
    const folders = cgroupFolders();
    assert.ok(folders.length > 0);
    await agent.stop();
    assert.deepEqual(cgroupFolders(), []);
    assert.ok(!readText('/proc/self/mountinfo').includes(cluster.folder));
    assert.deepEqual(agent.processes(), []);
  });
});
