import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { submitJob } from '@writ/client';
import { collectInputs, PeopleFolder } from '@writ/client/node';
import { signOrder } from '@writ/trust';
import { type Cluster, isProgram } from '@writ/testkit';
import { awaitJobs, orderOf, type Submitter } from '../run-jobs.ts';
import { makeFiles } from './make-files.ts';
import { MIB } from './words.ts';

/** The most that a program had in memory while files of each size passed. */
export interface Held {
  readonly program: string;
  readonly step: string;
  /** For each size. */
  readonly mib: readonly number[];
}

export interface FilesMemory {
  /** The smallest first. */
  readonly sizes: readonly number[];
  readonly held: readonly Held[];
}

const PROGRAMS = ['server', 'agent', 'launcher'] as const;
type Program = (typeof PROGRAMS)[number];
const LOOK_MS = 50;
const never = new AbortController().signal;
const wait = (milliseconds: number): Promise<void> => sleep(milliseconds);

/** An input to the server and to the agent, the same bytes back as an output, and to the person: over TLS all the way. */
export async function measureFilesMemory(wish: {
  readonly folder: string;
  readonly submitter: Submitter;
  readonly bigBytes: number;
  readonly say: (line: string) => void;
}): Promise<FilesMemory> {
  const { submitter } = wish;
  // A file of the second size has many chunks already.
  const sizes = [MIB, 64 * MIB, wish.bigBytes];
  await goOverTls(submitter);
  const passed = async (bytes: number): Promise<ReadonlyMap<string, number>> => {
    wish.say(`  ${bytes / MIB} MiB through server, agent and command line`);
    const folder = join(wish.folder, `passed-${bytes / MIB}`);
    try {
      return await pass(submitter, folder, bytes);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  // Once before: what is loaded when a file first comes is not growth.
  await passed(2 * MIB);
  const all: ReadonlyMap<string, number>[] = [];
  for (const bytes of sizes) all.push(await passed(bytes));
  return {
    sizes,
    held: [...(all[0]?.keys() ?? [])].map((name) => {
      const [program = '', step = ''] = name.split(': ');
      return { program, step, mib: all.map((one) => (one.get(name) ?? 0) / MIB) };
    }),
  };
}

/** The person's programs are on the server's machine, and would use its socket. */
async function goOverTls({ client, cluster }: Submitter): Promise<void> {
  const people = new PeopleFolder(join(cluster.person.configuration, 'writ'));
  const contexts = await people.readContexts();
  const [context] = contexts.contexts;
  if (!context) throw new Error('the person has no context');
  const far = { ...context, name: 'far', reach: { is: 'tls' as const, url: client.server.url } };
  await people.writeContexts({ ...contexts, current: 'far', contexts: [...contexts.contexts, far] });
}

/** @returns bytes by program and step. */
async function pass(
  submitter: Submitter,
  folder: string,
  bytes: number,
): Promise<ReadonlyMap<string, number>> {
  const { cluster } = submitter;
  const held = new Map<string, number>();
  const step = async (
    name: string,
    programs: readonly Program[],
    work: () => Promise<number | undefined>,
  ): Promise<void> => {
    forgetMost(cluster);
    const commandLine = await work();
    for (const program of programs) held.set(`${program}: ${name}`, mostOf(pidOf(cluster, program)));
    if (commandLine !== undefined) held.set(`command line: ${name}`, commandLine);
  };
  const [file = ''] = makeFiles(folder, 1, bytes);
  const disk = String(2 * bytes + 256 * MIB);
  await step('input, to server and agent', PROGRAMS, () =>
    runWrit(
      submitter,
      folder,
      `run --in ${file} --disk ${disk} --timeout 2h --profile bare -- /bin/true`.split(' '),
    ),
  );
  let job = '';
  await step('output, from agent to server', PROGRAMS, async () => {
    job = await runCopy(submitter, folder, file, bytes);
    return undefined;
  });
  await step('output, to the person', ['server'], () =>
    runWrit(submitter, folder, ['get', job, '--dir', join(folder, 'got')]),
  );
  return held;
}

/** The command line asks for outputs of a gibibyte at most; an order may ask for more. */
async function runCopy(submitter: Submitter, folder: string, file: string, bytes: number): Promise<string> {
  const { client, cluster } = submitter;
  const { inputs } = await collectInputs(folder, [file]);
  const order = orderOf(cluster, {
    argv: ['/bin/cp', file, 'copy'],
    inputs,
    outputs: ['copy'],
    profile: 'bare',
    diskBytes: 3 * bytes + 256 * MIB,
  });
  const { job } = order;
  const more = { ...order, limits: { ...order.limits, outputBytes: bytes + MIB } };
  await submitJob(client, { ...signOrder(more, cluster.key.signer), job }, { signal: never, wait });
  await awaitJobs(submitter, [job]);
  return job;
}

/** Runs the command line to its end. @returns the most that it had in memory. */
async function runWrit(
  { client, cluster }: Submitter,
  cwd: string,
  line: readonly string[],
): Promise<number> {
  mkdirSync(cwd, { recursive: true });
  const { person } = cluster;
  const child = spawn(process.execPath, [person.program, ...line], {
    cwd,
    env: { ...person.environment, WRIT_TOKEN: client.server.token ?? '' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  const complained = text(child.stderr);
  let most = 0;
  while (child.exitCode === null && child.signalCode === null) {
    most = Math.max(most, mostOf(child.pid));
    await Promise.race([ended, sleep(LOOK_MS)]);
  }
  if (child.exitCode === 0) return most;
  throw new Error(`writ ${line.join(' ')} ended with ${child.exitCode}: ${(await complained).trim()}`);
}

const pidOf = (cluster: Cluster, program: Program): number | undefined =>
  cluster.processes().findLast((one) => isProgram(one, program))?.pid;

/** From here on `mostOf` counts anew. */
function forgetMost(cluster: Cluster): void {
  for (const program of PROGRAMS) writeFileSync(`/proc/${pidOf(cluster, program)}/clear_refs`, '5');
}

/** @returns 0 for what has ended. */
function mostOf(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
