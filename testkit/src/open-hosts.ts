import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { text } from 'node:stream/consumers';

/** Machines on one network, made of namespaces: each has its own addresses, processes, name, home and state. */
export interface Hosts extends AsyncDisposable {
  readonly all: readonly Host[];
  /** Takes a host off the network, as if somebody pulled its cable. */
  cut(host: Host): void;
  heal(host: Host): void;
}

export interface Host {
  readonly name: string;
  readonly address: string;
  /** Runs a program there to its end, however it ends. */
  run(argv: readonly string[], call?: HostCall): Promise<HostEnded>;
  /** As `run`, and answers stdout. @throws Error with stderr when it ends with anything but 0. */
  must(argv: readonly string[], call?: HostCall): Promise<string>;
}

export interface HostCall {
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface HostEnded {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const MOST_MS = 120_000;
const PATH = '/opt/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Everything that programs write on a machine: each host has its own, in memory, and it goes with the host. */
const OWN_FOLDERS = ['/root', '/home', '/tmp', '/run', '/var/lib/writ'];
/** What is installed there. */
const OWN_PROGRAMS = ['/opt', '/srv', '/usr/local/etc'];
/** Holds the name of the host, also where jobs see the system's folders and nothing else. */
export const NAME_OF_HOST = '/usr/local/etc/name-of-host';

const APART = ['--net', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child', '--mount-proc'];

/**
 * Makes the hosts and a switch between them. Nothing of it has a name outside: each host lives as long as its first
 * process, which ends when the pipe from this program closes, however this program ends; the rest goes with it.
 *
 * @param files and folders of this machine that each host sees, read-only, under another path.
 */
export async function openHosts(
  names: readonly string[],
  files: ReadonlyArray<{ readonly from: string; readonly to: string }>,
): Promise<Hosts> {
  const started: Machine[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(started.map((machine) => machine.end()));
  };
  try {
    const net = `10.${randomBytes(1)[0] ?? 0}.${randomBytes(1)[0] ?? 0}`;
    const bridge = await startMachine('switch', []);
    started.push(bridge);
    bridge.must('ip link add name br0 type bridge && ip link set br0 up');
    const all: Host[] = [];
    for (const [at, name] of names.entries()) {
      const machine = await startMachine(name, files);
      started.push(machine);
      const address = `${net}.${at + 1}`;
      bridge.must(`ip link add port${at} type veth peer name eth0 netns ${machine.pid}`, true);
      bridge.must(`ip link set port${at} master br0 up`);
      machine.must(`ip link set lo up && ip address add ${address}/24 dev eth0 && ip link set eth0 up`);
      all.push(hostOf(name, address, machine));
    }
    const port = (host: Host, is: 'up' | 'down'): void =>
      bridge.must(`ip link set port${all.indexOf(host)} ${is}`);
    return {
      all,
      cut: (host) => port(host, 'down'),
      heal: (host) => port(host, 'up'),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Machine {
  /** Its first process, as seen from here. */
  readonly pid: number;
  /** @param outside sees this machine's processes: to move a cable into another one. */
  must(script: string, outside?: boolean): void;
  end(): Promise<void>;
}

async function startMachine(
  name: string,
  files: ReadonlyArray<{ readonly from: string; readonly to: string }>,
): Promise<Machine> {
  const make = (from: string): string => (statSync(from).isDirectory() ? 'mkdir -p' : 'touch');
  const own = (path: string): string => `mkdir -p ${path} && mount -t tmpfs -o mode=0755 tmpfs ${path}`;
  const setUp = [
    'set -e',
    `hostname ${name}`,
    ...OWN_PROGRAMS.map(own),
    'mkdir /opt/bin',
    `echo ${name} >${NAME_OF_HOST}`,
    ...files.map(({ from, to }) => `${make(from)} ${to} && mount --bind -o ro '${from}' ${to}`),
    // After them: they may come from one of these.
    ...OWN_FOLDERS.map(own),
    'chmod 1777 /tmp',
    'echo ready',
    // bash, because a first process has to bury what others leave behind; it ends with its input.
    'while read -r _; do :; done',
  ];
  const child = spawn('unshare', [...APART, 'bash', '--norc', '-c', setUp.join('\n')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH },
  });
  await ready(child, name);
  const pid = firstChildOf(child.pid ?? 0);
  return {
    pid,
    must(script, outside = false) {
      const into = [
        '-t',
        String(pid),
        ...(outside ? ['--net'] : ['--net', '--mount', '--uts', '--ipc', '--pid']),
      ];
      const ended = spawnSync('nsenter', [...into, 'sh', '-c', script], { encoding: 'utf8', env: { PATH } });
      if (ended.status !== 0) throw new Error(`${name}: ${script}\n${ended.stderr}`);
    },
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    },
  };
}

function ready(child: ChildProcess, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the host ${name} ended with ${code}`)));
  });
}

function firstChildOf(pid: number): number {
  const found = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  if (!/^\d+$/.test(found)) throw new Error(`process ${pid} has no child`);
  return Number(found);
}

function hostOf(name: string, address: string, machine: Machine): Host {
  const run = async (argv: readonly string[], call: HostCall = {}): Promise<HostEnded> => {
    const child = spawn('nsenter', ['-t', String(machine.pid), '--all', ...argv], {
      stdio: 'pipe',
      timeout: MOST_MS,
      killSignal: 'SIGKILL',
      env: {
        PATH,
        HOME: '/root',
        USER: 'root',
        LANG: 'C.UTF-8',
        WRIT_NO_INPUT: '1',
        NO_COLOR: '1',
        ...call.environment,
      },
    });
    const exitCode = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    child.stdin.on('error', () => {});
    child.stdin.end(call.input ?? '');
    const [code, stdout, stderr] = await Promise.all([exitCode, text(child.stdout), text(child.stderr)]);
    return { exitCode: code, stdout, stderr };
  };
  return {
    name,
    address,
    run,
    async must(argv, call) {
      const ended = await run(argv, call);
      if (ended.exitCode === 0) return ended.stdout;
      throw new Error(`${name}: ${argv.join(' ')} ended with ${ended.exitCode}\n${ended.stderr.trim()}`);
    },
  };
}
