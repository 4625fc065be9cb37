import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAgent, usualMost, writeOwnerFile } from '@writ/agent/start';
import { PROGRAMS } from './open-shell.ts';

/** Accounts that no other test uses at the same time. */
let nextBlock = 1_990_000_000 + (process.pid % 10_000) * 64;

export interface RealAgent {
  readonly log: () => string;
  /** Process ids of agent and launcher. */
  readonly pid: number;
  readonly launcherPid: number;
  readonly ended: Promise<unknown>;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** A folder outside of which nothing is written; removed by the caller. */
export function makeFolder(): string {
  const base = mkdtempSync(join(tmpdir(), 'writ-agent-'));
  return base;
}

export const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true });

/** Agent and launcher as two processes, jobs in `bare`; the agent itself without a wall, so that tests see its files. */
export function runRealAgent(base: string, slots = 2, env: Readonly<Record<string, string>> = {}): RealAgent {
  const state = join(base, 'agent');
  const slotsFolder = join(base, 'slots');
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const isRoot = process.geteuid?.() === 0;
  const ownerFile = join(base, 'owner.json');
  writeOwnerFile(ownerFile, {
    format: 1,
    name: 'lab-1',
    slots,
    profiles: ['bare'],
    firstUid: isRoot ? (nextBlock += 64) : null,
    slotsFolder,
    cacheFolder: join(state, 'cache'),
    node: process.execPath,
    network: 'asked',
    most: usualMost(8 * 2 ** 30),
  });
  const logFile = join(base, 'log');
  const log = openSync(logFile, 'a', 0o600);
  const started = startAgent({
    node: process.execPath,
    app: PROGRAMS,
    state,
    slotsFolder,
    ownerFile,
    root: false,
    uid: null,
    bwrap: null,
    entry: 'agent.js',
    launcherEntry: 'launcher.js',
    args: ({ slots: seen, cache }) => ['--folder', state, '--slots', seen, '--cache', cache],
    env,
    log,
  });
  closeSync(log);
  return {
    log: () => readFileSync(logFile, 'utf8'),
    pid: started.agent.pid ?? 0,
    launcherPid: started.launcher.pid ?? 0,
    ended: started.ended,
    async kill() {
      started.agent.kill('SIGKILL');
      await started.ended;
    },
    stop: () => started.stop(5000),
  };
}
