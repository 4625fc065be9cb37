import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { OwnerFile } from '../../launcher/owner-file.ts';
import { launcherLine } from '../../start/start-launcher.ts';
import { isolationOver } from '../open-isolation.ts';
import type { Isolation, SlotEnd, SlotInput, SlotLimits, SlotRun } from '../isolation.ts';

export const isRoot = process.geteuid?.() === 0;
/** Accounts without a name and without rights, for what an agent without root can do; test files run side by side. */
const plainUid = 1_880_000_000 + process.pid;
const firstUid = 1_800_000_000 + (process.pid % 1_000_000) * 64;

export const usualLimits: SlotLimits = {
  wallMs: 20_000,
  memoryBytes: 268_435_456,
  pids: 64,
  cpuMs: null,
  cpuPercent: null,
  diskBytes: 16_777_216,
  nofile: 256,
  logBytes: 33_554_432,
  logBytesPerSecond: 1_000_000_000,
  graceMs: 1000,
};

export interface TestIsolation extends AsyncDisposable {
  readonly isolation: Isolation;
  readonly socket: Socket;
  readonly launcherPid: number;
  readonly folder: string;
  readonly name: string;
  readonly firstUid: number;
  /** The launcher's own pid and what descends from it at this moment. */
  putBlob(content: string, executable?: boolean): SlotInput['digestHex'];
  run(argv: readonly string[], more?: Partial<SlotRun>): Promise<{ end: SlotEnd; out: string; err: string }>;
  launcherGone: Promise<void>;
}

export interface TestIsolationWish {
  readonly as: 'root' | 'caller';
  readonly profiles: OwnerFile['profiles'];
  readonly slots?: number;
  readonly owner?: Partial<OwnerFile>;
  /** Opens descriptors in the launcher that it did not ask for. */
  readonly leak?: boolean;
  /** That of a launcher which is gone. */
  readonly folder?: string;
}

/** A real launcher, started as `writ agent run` starts it, and the agent's side of its socket in this process. */
export async function openTestIsolation(wish: TestIsolationWish): Promise<TestIsolation> {
  const folder = wish.folder ?? mkdtempSync(join(tmpdir(), 'writ-isolation-'));
  chmodSync(folder, 0o755);
  const drops = wish.as === 'caller' && isRoot;
  const slotsFolder = join(folder, 'slots');
  const cacheFolder = join(folder, 'cache');
  for (const [path, mode] of [
    [slotsFolder, 0o755],
    [cacheFolder, 0o700],
  ] as const) {
    mkdirSync(path, { recursive: true });
    chmodSync(path, mode);
  }
  const code = placeWhereAllMayRead(folder);
  const name = `test-${randomBytes(6).toString('hex')}`;
  const owner: OwnerFile = {
    format: 1,
    name,
    slots: wish.slots ?? 2,
    profiles: wish.profiles,
    firstUid: wish.as === 'root' ? firstUid : null,
    slotsFolder,
    cacheFolder,
    node: code.node,
    network: 'asked',
    most: {
      wallMs: 1e9,
      memoryBytes: 2 ** 36,
      pids: 4096,
      diskBytes: 2 ** 40,
      nofile: 65_536,
      logBytes: 2 ** 36,
      outputsBytes: 2 ** 40,
    },
    ...wish.owner,
  };
  const ownerFile = join(folder, 'owner.json');
  writeFileSync(ownerFile, JSON.stringify(owner), { mode: 0o600 });
  if (drops)
    for (const path of [folder, slotsFolder, cacheFolder, ownerFile]) chownSync(path, plainUid, plainUid);
  const line = launcherLine({ node: code.node, entry: code.entry, ownerFile }, wish.as === 'root');
  const drop = drops
    ? ['/usr/bin/setpriv', `--reuid=${plainUid}`, `--regid=${plainUid}`, '--clear-groups']
    : [];
  const leak =
    wish.leak === true
      ? ['/bin/bash', '-c', 'exec 40</etc/hostname 200</etc/hostname; exec "$@"', 'leak']
      : [];
  const argv = [...leak, ...drop, ...line];
  const launcher = spawn(argv[0] ?? '', argv.slice(1), {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', WRIT_CANARY: 'the-agents-secret' },
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  const launcherGone = new Promise<void>((resolve) => launcher.once('exit', () => resolve()));
  const socket = launcher.stdio[3] as Socket;
  const isolation = await isolationOver(socket, { slotsFolder, cacheFolder });
  return {
    isolation,
    socket,
    launcherPid: launcher.pid ?? -1,
    folder,
    name,
    firstUid,
    launcherGone,
    putBlob: (content, executable = false) => {
      const hex = createHash('sha256').update(content).digest('hex');
      const path = join(cacheFolder, executable ? `${hex}.x` : hex);
      if (!existsSync(path)) writeFileSync(path, content, { mode: executable ? 0o555 : 0o444 });
      if (drops) chownSync(path, plainUid, plainUid);
      return hex;
    },
    run: async (command, more) => {
      const started = await isolation.start({
        slot: 0,
        profile: wish.profiles[0] ?? 'bare',
        argv: command,
        env: [],
        inputs: [],
        limits: usualLimits,
        network: false,
        outputs: null,
        ...more,
      });
      const end = await started.ended;
      const result = {
        end,
        out: readFileSync(started.stdoutFile, 'latin1'),
        err: readFileSync(started.stderrFile, 'latin1'),
      };
      started.release();
      return result;
    },
    [Symbol.asyncDispose]: async () => {
      await isolation.close();
      await launcherGone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The launcher needs no packages, so a copy of its folder runs, also where the checkout may not be entered. */
function placeWhereAllMayRead(folder: string): { readonly node: string; readonly entry: string } {
  const from = join(import.meta.dirname, '../../launcher');
  const to = join(folder, 'app');
  cpSync(from, to, { recursive: true, filter: (path) => !path.endsWith('.test.ts') });
  writeFileSync(join(to, 'package.json'), '{"type":"module"}');
  for (const name of readdirSync(to)) chmodSync(join(to, name), 0o644);
  chmodSync(to, 0o755);
  const node = mayAllRead(process.execPath) ? process.execPath : join(folder, 'node');
  if (node !== process.execPath) cpSync(process.execPath, node);
  return { node, entry: join(to, 'main.ts') };
}

function mayAllRead(path: string): boolean {
  for (let at = path; at !== '/'; at = dirname(at)) if ((statSync(at).mode & 0o001) === 0) return false;
  return true;
}

/** Everybody who runs under one of the accounts, or mentions the name; what an attempt left behind. */
export function processesOf(of: {
  readonly firstUid: number;
  readonly name: string;
  readonly folder: string;
}): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      if (/^State:\s+[ZX]/m.test(status)) return [];
      const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]);
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      const isTheirs =
        (uid > of.firstUid && uid < of.firstUid + 64) ||
        (isRoot && uid === plainUid) ||
        line.includes(of.folder);
      return isTheirs ? [`${pid} ${line.slice(0, 200)}`] : [];
    } catch {
      return [];
    }
  });
}

export async function until(isSo: () => boolean, withinMs: number): Promise<boolean> {
  for (const end = performance.now() + withinMs; performance.now() < end;) {
    if (isSo()) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return isSo();
}
