// npm run bench [-- --only NAME,…] [-- --rounds N] [-- --quick]
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, release, tmpdir, totalmem } from 'node:os';
import { join, relative } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { namesProgram, startCluster, type Cluster, type ClusterWish, type Process } from '@writ/testkit';
import { bringProgram } from './bring-program.ts';
import { checkConfiguration } from './check-configuration.ts';
import { type ControlPlane, measureControlPlane } from './control-plane/measure-control-plane.ts';
import type { Processless } from './control-plane/processless-work.ts';
import { startProcesslessAgent } from './control-plane/start-processless-agent.ts';
import { BALLAST, copyCheckout } from './copy-checkout.ts';
import { type Depth, measureDepth, type Waters } from './depth/measure-depth.ts';
import { measureFiles, type Size } from './files/measure-files.ts';
import { measureFilesMemory } from './files/measure-memory.ts';
import type { Files } from './files/show-files.ts';
import { startNginx } from './files/start-nginx.ts';
import { MIB, PEER } from './files/words.ts';
import { compileLimits, type Limits } from './limits/limits.ts';
import { measureLatency } from './measure-latency.ts';
import { measureStart } from './measure-start.ts';
import { measureThroughput } from './measure-throughput.ts';
import { profileSteps, PROFILER, type Step } from './profile-steps.ts';
import { readArguments, type BenchWish, type Part } from './read-arguments.ts';
import { runJobs, type Submitter } from './run-jobs.ts';
import { measureSafety, type Safety, type Started } from './safety/measure-safety.ts';
import { EVERYTHING, NOT_RUN, WITHOUT } from './safety/without.ts';
import { sandboxLine } from './sandbox-line.ts';
import { showResults, writeResults, type Results } from './write-results.ts';

const wish = readArguments(process.argv.slice(2));
if (typeof wish === 'string') {
  process.stderr.write(`${wish}\n`);
  process.exit(2);
}
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'writ-bench-')));
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const running = new Set<Cluster>();
const stopAll = async (): Promise<void> => {
  await Promise.all([...running].map((cluster) => cluster.stop()));
  running.clear();
};
let isEnding = false;
/** It is stopped however this ends. */
const open = async (wish: ClusterWish): Promise<Cluster> => {
  const cluster = await startCluster(wish);
  running.add(cluster);
  return cluster;
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // A second one, to all of the group, is the same wish.
  process.on(signal, () => {
    if (isEnding) return;
    isEnding = true;
    void stopAll().finally(() => {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      process.exit(130);
    });
  });
}
/** Who has run so many for the first time is compiled: a server and its agents run for months. */
const WARM_JOBS = 2000;

try {
  const results = await measure(wish);
  process.stdout.write(showResults(results));
  if (wish.isWritten) {
    const place = fileURLToPath(new URL('results', import.meta.url));
    for (const file of writeResults(place, results)) say(`written: ${relative(process.cwd(), file)}`);
  }
} catch (error) {
  say(`✗ ${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  await stopAll();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(wanted: BenchWish): Promise<Results> {
  const { rounds, part, topic, only, isBig } = wanted;
  const limits = compileLimits(folder);
  const notRun: string[] = [];
  /** What fails is missing at the end, and what was measured before it is not lost. */
  const attempt = async <T>(
    isAsked: boolean,
    name: string,
    work: () => Promise<T>,
  ): Promise<T | undefined> => {
    if (!isAsked) return undefined;
    try {
      return await work();
    } catch (error) {
      if (isEnding) return await new Promise<never>(() => {});
      say(`✗ ${name}: ${(error as Error).message}`);
      notRun.push(`${name}: it failed: ${(error as Error).message}`);
      process.exitCode = 1;
      await stopAll();
      return undefined;
    }
  };
  const alone = async <T>(name: Part, work: () => Promise<T>): Promise<T | undefined> =>
    await attempt(only.has(name), name, work);
  const startMs = await alone('start', () => measureStartUp(rounds));
  const memory = await alone('rest', measureRest);
  const steps = await alone('steps', () => measureSteps(part));
  const isPath = only.has('throughput') || only.has('latency');
  const path = await attempt(isPath, 'throughput and latency', () =>
    measureJobs({ limits, rounds, part, only }),
  );
  const controlPlane = await alone('control-plane', () => measureProcessless(rounds, part));
  const depth = await alone('depth', () => measureDepths(rounds, part));
  const files = await alone('files', () => measureAllFiles(rounds, part, isBig));
  const safety = await alone('safety', () => measureAllSafety(rounds, part));
  return {
    topic,
    date: new Date().toISOString().slice(0, 10),
    machine: {
      cores: availableParallelism(),
      processor: cpus()[0]?.model.trim() ?? 'unknown',
      kernel: release(),
      memoryGib: Math.round(totalmem() / 2 ** 30),
      node: process.version,
    },
    wish: { rounds, part },
    ...path,
    ...(startMs && { startMs }),
    ...(memory && { memory }),
    ...(steps && { steps }),
    ...(controlPlane && { controlPlane }),
    ...(depth && { depth }),
    ...(files && { files: files.measured }),
    ...(safety && { safety }),
    notRun: [...notRun, ...(path?.notRun ?? []), ...(files?.notRun ?? []), ...(safety ? [NOT_RUN] : [])],
  };
}

function measureStartUp(rounds: number): Promise<number[]> {
  say('start: writ up in an empty folder');
  return measureStart(rounds);
}

/** Throughput and latency: the same agents with everything on. */
async function measureJobs({
  limits,
  rounds,
  part,
  only,
}: Pick<BenchWish, 'rounds' | 'part' | 'only'> & { readonly limits: Limits }): Promise<
  Pick<Results, 'configuration' | 'throughput' | 'latency' | 'notRun'>
> {
  const heavy = await copyCheckout(join(folder, 'heavy'), { agent: BALLAST });
  const cluster = await open({
    agents: [
      { name: 'bare-8', slots: 8, profiles: ['bare'] },
      { name: 'bare-2', slots: 2, profiles: ['bare'] },
      { name: 'heap-8', slots: 8, profiles: ['bare'], program: heavy },
      { name: 'strict-8', slots: 8, profiles: ['strict', 'user'] },
    ],
  });
  const submitter: Submitter = { client: await cluster.openRemoteClient(), cluster };
  const configuration = await checkConfiguration(submitter, say);
  const isStrict = configuration.agents.some(({ profiles }) => profiles.includes('strict'));
  const sandbox = isStrict ? sandboxLine(folder) : undefined;
  say('warming up');
  for (const agent of cluster.agents) {
    const isSandboxed = agent.name.startsWith('strict');
    await runJobs(submitter, {
      agent: agent.identity,
      profile: isSandboxed ? 'user' : 'bare',
      argv: ['/bin/true'],
      jobs: isSandboxed ? 200 : WARM_JOBS,
      perOrder: 500,
    });
  }
  const { notRun = [], ...throughput } = only.has('throughput')
    ? await measureThroughput({ rounds, part, limits, folder, submitter, sandbox, say })
    : {};
  const latency: NonNullable<Results['latency']>[number][] = [];
  if (only.has('latency')) {
    say('latency');
    const idle = { rounds, part, limits, folder, submitter };
    latency.push({
      name: 'bare',
      rounds: await measureLatency({ ...idle, agent: 'bare-8', profile: 'bare', argv: ['/bin/true'] }),
    });
    if (sandbox) {
      latency.push({
        name: 'strict (F with a start of the bwrap line)',
        rounds: await measureLatency({ ...idle, agent: 'strict-8', profile: 'strict', argv: sandbox }),
      });
    }
  }
  await stopAll();
  return {
    configuration,
    ...('rounds' in throughput && { throughput }),
    ...(latency.length > 0 && { latency }),
    notRun,
  };
}

/** What the server does for a job when no agent starts anything. */
async function measureProcessless(rounds: number, part: number): Promise<ControlPlane> {
  say('control plane: no process is started');
  await using agents = new AsyncDisposableStack();
  return await measureControlPlane({ rounds, part, say, ...(await openProcessless(agents)) });
}

async function measureDepths(rounds: number, part: number): Promise<Depth> {
  say('depth: above few and above many that wait');
  await using agents = new AsyncDisposableStack();
  const waters = async (pending: number): Promise<Waters> => ({
    ...(await openProcessless(agents)),
    pending,
  });
  const shallow = await waters(1000);
  const deep = await waters(Math.max(10_000, Math.round(1_000_000 * part)));
  return await measureDepth({ rounds, part, shallow, deep, say });
}

async function measureAllFiles(
  rounds: number,
  part: number,
  isBig: boolean,
): Promise<{ readonly measured: Files; readonly notRun: readonly string[] }> {
  say('files');
  const cluster = await open({ agents: [{ name: 'files-bare', profiles: ['bare'] }] });
  const submitter: Submitter = { client: await cluster.openRemoteClient(), cluster };
  const hasPeer =
    (await bringProgram('nginx', 'nginx-light', say)) && (await bringProgram('curl', 'curl', say));
  const place = join(folder, 'files');
  const served = join(folder, 'nginx');
  for (const one of [place, served]) mkdirSync(one);
  await using nginx = hasPeer ? await startNginx(served) : undefined;
  const largeMib = Math.ceil(1024 * part);
  const sizes: Size[] = [
    { name: '1 MiB', count: 64, bytes: MIB, rounds },
    { name: '64 MiB', count: 4, bytes: 64 * MIB, rounds },
    { name: `${largeMib} MiB`, count: 1, bytes: largeMib * MIB, rounds },
    // Once: it takes minutes, and room for four copies.
    ...(isBig ? [{ name: '4096 MiB', count: 1, bytes: 4096 * MIB, rounds: 1 }] : []),
  ];
  const measured = await measureFiles({ sizes, folder: place, submitter, nginx, say });
  const bigBytes = (isBig ? 4096 : largeMib) * MIB;
  const memory = await measureFilesMemory({ folder: place, submitter, bigBytes, say });
  await stopAll();
  const notRun = hasPeer ? [] : [`${PEER}: nginx or curl is not installed`];
  return { measured: { sizes: measured, memory }, notRun };
}

async function measureAllSafety(rounds: number, part: number): Promise<Safety> {
  say('safety: one thing off at a time');
  const started: Started[] = [];
  for (const [number, without] of [EVERYTHING, ...WITHOUT].entries()) {
    const copy = join(folder, `without-${number}`);
    const program = await copyCheckout(copy, without.preludes, without.changes);
    const cluster = await open({ program, agents: [{ name: 'safe-8', slots: 8, profiles: ['bare'] }] });
    started.push({ without, submitter: { client: await cluster.openRemoteClient(), cluster } });
  }
  const measured = await measureSafety({ rounds, part, started, say });
  await stopAll();
  return measured;
}

/** The agent ends before its server. */
async function openProcessless(agents: AsyncDisposableStack): Promise<Processless> {
  const cluster = agents.adopt(await open({ agents: [] }), async (opened) => {
    await opened.stop();
    running.delete(opened);
  });
  const submitter: Submitter = { client: await cluster.openRemoteClient(), cluster };
  return { submitter, agent: agents.use(await startProcesslessAgent(cluster, 'signs-only')) };
}

/** A server and one agent that have had nothing to do for a while. */
async function measureRest(): Promise<NonNullable<Results['memory']>> {
  say('rest: memory of a server and an agent');
  const cluster = await open({ agents: [{ name: 'rest-2', slots: 2 }] });
  await sleep(3000);
  const all = cluster.processes();
  const part = (of: string, which: (one: Process) => boolean): NonNullable<Results['memory']>[number] => {
    const own = all.filter(which);
    return { of, bytes: own.reduce((sum, one) => sum + one.memoryBytes, 0), processes: own.length };
  };
  const isServer = (one: Process): boolean => namesProgram(one, 'server');
  const isAgent = (one: Process): boolean => namesProgram(one, 'agent');
  const isLauncher = (one: Process): boolean => namesProgram(one, 'launcher');
  const memory = [
    part('server', isServer),
    part('agent', isAgent),
    part('launcher', isLauncher),
    part('starter and slots', (one) => !isServer(one) && !isAgent(one) && !isLauncher(one)),
  ];
  await stopAll();
  return memory;
}

/** Where the time of a job goes, seen by a profiler in copies of server and agent. */
async function measureSteps(part: number): Promise<Step[]> {
  say('steps: server and agent under a profiler');
  const program = await copyCheckout(join(folder, 'profiled'), { server: PROFILER, agent: PROFILER });
  const cluster = await open({
    program,
    agents: [{ name: 'profiled-8', slots: 8, profiles: ['bare'] }],
  });
  const submitter: Submitter = { client: await cluster.openRemoteClient(), cluster };
  const agent = cluster.agent('profiled-8');
  const jobs = Math.round(3000 * part);
  const work = { agent: agent.identity, profile: 'bare', argv: ['/bin/true'], jobs, perOrder: 500 } as const;
  await runJobs(submitter, { ...work, jobs: 200 });
  const steps = await profileSteps(
    [
      {
        program: 'server',
        folder: join(cluster.server.folder, 'server'),
        processes: cluster.server.processes,
      },
      { program: 'agent', folder: join(agent.folder, 'agent'), processes: agent.processes },
    ],
    () => runJobs(submitter, work),
  );
  await stopAll();
  return steps;
}
