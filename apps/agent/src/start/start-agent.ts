import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { programLine } from './program-line.ts';
import type { ProgramInside } from './program-line.ts';
import { startLauncher } from './start-launcher.ts';

export interface AgentStart {
  readonly node: string;
  readonly app: string;
  /** The agent's own state folder; its `cache` is made here. */
  readonly state: string;
  /** What the launcher writes and the agent only reads; belongs to whoever runs the launcher. */
  readonly slotsFolder: string;
  readonly ownerFile: string;
  readonly root: boolean;
  readonly uid: number | null;
  readonly bwrap: string | null;
  /** Relative to `app`. */
  readonly entry: string;
  readonly launcherEntry: string;
  /** Gets the names by which the agent knows its folders, the slots' among them. */
  readonly args: (
    inside: ProgramInside & { readonly slots: string; readonly cache: string },
  ) => readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Descriptor of the log; standard error of this program when null. */
  readonly log: number | null;
}

export interface AgentStarted {
  readonly agent: ChildProcess;
  readonly launcher: ChildProcess;
  /** How the agent ended; by then the launcher has ended too, and every job with it. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** Asks the agent to end, and ends it when it does not. */
  stop(graceMs: number): Promise<void>;
}

const slotsInside = '/writ/slots';

/** Starts the launcher, then the agent with the launcher's socket as its descriptor 3. Holds neither's secrets. */
export function startAgent(start: AgentStart): AgentStarted {
  prepareAgentFolders(start);
  const launcher = startLauncher({
    node: start.node,
    entry: join(start.app, start.launcherEntry),
    ownerFile: start.ownerFile,
    log: start.log,
  });
  const line = programLine({
    ...start,
    args: (inside) =>
      start.args({ ...inside, slots: inside.bound(slotsInside), cache: join(inside.state, 'cache') }),
    binds: [{ from: start.slotsFolder, to: slotsInside, writable: false }],
    diesWithParent: true,
    statusDescriptor: 4,
  });
  const log = start.log ?? 'inherit';
  const agent = spawn(line.argv[0] ?? '', line.argv.slice(1), {
    env: { ...start.env },
    stdio: ['ignore', log, log, launcher.socket, 'pipe'],
  });
  // Only the agent may hold the other end, or the launcher would not see it go.
  launcher.socket.destroy();
  const pid = line.isWalled ? childPid(agent.stdio[4] as Readable) : Promise.resolve(agent.pid ?? null);
  const launcherGone = new Promise<void>((resolve) => launcher.process.once('exit', () => resolve()));
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    agent.once('error', reject);
    agent.once('exit', (code, signal) => {
      void launcherGone.then(() => resolve({ code, signal }));
    });
  });
  return { agent, launcher: launcher.process, ended, stop: (graceMs) => stop(agent, pid, ended, graceMs) };
}

export function prepareAgentFolders(start: Pick<AgentStart, 'state' | 'slotsFolder' | 'uid' | 'root'>): void {
  const cache = join(start.state, 'cache');
  mkdirSync(start.state, { recursive: true, mode: 0o700 });
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  mkdirSync(start.slotsFolder, { recursive: true });
  chmodSync(start.slotsFolder, 0o755);
  if (!start.root || start.uid === null) return;
  chownSync(start.state, start.uid, start.uid);
  chownSync(cache, start.uid, start.uid);
}

/** Goes on reading to the end: bwrap tells the exit code too, and would die of a closed pipe. */
function childPid(status: Readable): Promise<number | null> {
  return new Promise((resolve) => {
    let text = '';
    status.on('data', (chunk: Buffer) => {
      text += String(chunk);
      const pid = /"child-pid": (\d+)/.exec(text)?.[1];
      if (pid !== undefined) resolve(Number(pid));
    });
    status.once('close', () => resolve(null));
  });
}

async function stop(
  agent: ChildProcess,
  pid: Promise<number | null>,
  ended: Promise<unknown>,
  graceMs: number,
): Promise<void> {
  const first = await pid;
  if (agent.exitCode === null && agent.signalCode === null && first !== null) {
    try {
      process.kill(first, 'SIGTERM');
    } catch {
      // It has just ended.
    }
  }
  const timer = setTimeout(() => agent.kill('SIGKILL'), graceMs);
  await ended;
  clearTimeout(timer);
}
