import { once } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Client } from '@writ/client';
import {
  fetchOverSocket,
  fetchOverTls,
  type OpenedFetch,
  PeopleFolder,
  type PersonKey,
} from '@writ/client/node';
import type { HeldSets } from '@writ/trust';
import { startFaultProxy, type FaultProxy } from './fault-proxy.ts';
import { openShell, type Shell } from './open-shell.ts';
import { readProcesses, type Process } from './read-processes.ts';
import { makeSmallDisk, removeSmallDisk } from './small-disk.ts';
import { joinAgent, startAgent } from './start-agent.ts';
import { startServerProgram } from './start-server-program.ts';

export interface ClusterWish {
  /** One agent with one slot, when left out. */
  readonly agents?: readonly AgentWish[];
  /** Shorter than people may ask for: 1 lets a test wait for the end of a lease. */
  readonly leaseSeconds?: number;
  /** `postgres://…`: its records are there instead of in a file. */
  readonly database?: string | undefined;
  /** The server's folder is on a disk of that size. For root. */
  readonly diskMib?: number;
  /** The file that `writ` is: of this checkout, when left out. */
  readonly program?: string;
}

export interface AgentWish {
  readonly name: string;
  /** 1 */
  readonly slots?: number;
  /** Its folder is on a disk of that size. For root. */
  readonly diskMib?: number;
  /** What its owner offers: what can be measured of `strict` and `user`, when left out. */
  readonly profiles?: readonly ('strict' | 'user' | 'bare')[];
  /** `name` or `name=value`. */
  readonly labels?: readonly string[];
  /** `name` or `name=number`: what jobs on it share. */
  readonly counters?: readonly string[];
  /** Reaches the server through a relay that can be made to fail. */
  readonly isBehindProxy?: boolean;
  /** Environment of the agent's processes, beside the usual. */
  readonly environment?: Readonly<Record<string, string>>;
  /** As that of the cluster, when left out. */
  readonly program?: string;
}

/** A program of the cluster and everything that it started. */
export interface Member {
  readonly name: string;
  /** Its state folder (`--dir`). */
  readonly folder: string;
  processes(): Process[];
  /** Kills all of its processes that match with SIGKILL. @returns how many it killed. */
  kill(which?: (one: Process) => boolean): number;
  /** Starts it again, in the same folder and on the same ports. */
  start(): Promise<void>;
  /** As its owner would. */
  stop(): Promise<void>;
}

export interface AgentMember extends Member {
  readonly identity: string;
  /** Resolves when it runs no more. */
  ended(): Promise<void>;
  readonly proxy: FaultProxy | undefined;
}

/** A server and agents as separate processes on loopback, started as people start them, with the person who did. */
export interface Cluster extends AsyncDisposable {
  readonly folder: string;
  /** The person who ran `writ up`: administrator, and signer of everything. */
  readonly person: Shell;
  readonly key: PersonKey;
  readonly sets: HeldSets;
  readonly server: Member & { readonly peoplePort: number; readonly agentPort: number };
  agent(name: string): AgentMember;
  readonly agents: readonly AgentMember[];
  /** Over the administrator's socket. */
  readonly client: Client;
  /** Over TLS with a token of its own. */
  openRemoteClient(): Promise<Client>;
  /** All processes of the cluster. */
  processes(): Process[];
  /** Ends everything and removes every file. @returns what had to be killed. */
  stop(): Promise<Process[]>;
}

export async function startCluster(wish: ClusterWish = {}): Promise<Cluster> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'writ-kit-')));
  const opened: AsyncDisposable[] = [];
  const disks: string[] = [];
  try {
    return await start(folder, wish, opened, disks);
  } catch (error) {
    await stopAll(folder, opened, disks);
    throw error;
  }
}

async function start(
  folder: string,
  wish: ClusterWish,
  opened: AsyncDisposable[],
  disks: string[],
): Promise<Cluster> {
  const wishes = wish.agents ?? [{ name: 'agent-1' }];
  for (const { name, diskMib } of [{ name: 'server', diskMib: wish.diskMib }, ...wishes]) {
    if (diskMib === undefined) continue;
    makeSmallDisk(join(folder, name), diskMib);
    disks.push(join(folder, name));
  }
  const person = openShell(join(folder, 'ana'), wish.program);
  const server = await startServer(folder, person, wish);
  const { key, sets } = await readPerson(person);
  const keep = (fetch: OpenedFetch): OpenedFetch => {
    opened.push({ [Symbol.asyncDispose]: () => fetch.close() });
    return fetch;
  };
  const client = connect({
    url: 'http://writ',
    fetch: keep(fetchOverSocket(join(server.folder, 'server', 'admin.sock'))).fetch,
  });
  const members = await Promise.all(
    wishes.map(async (agent) => {
      const proxy = agent.isBehindProxy ? await startFaultProxy({ port: server.agentPort }) : undefined;
      if (proxy) opened.push(proxy);
      const owner = openShell(join(folder, 'owners', agent.name), agent.program ?? wish.program);
      const place = join(folder, agent.name);
      await joinAgent(person, owner, { ...agent, folder: place, proxyPort: proxy?.port });
      const member = agentMember(agent, place, owner);
      await member.start();
      return { ...member, proxy };
    }),
  );
  const connected = await waitForAgents(client, wishes);
  const agents = members.map((member) => ({ ...member, identity: connected.get(member.name) ?? '' }));
  let stopped: Promise<Process[]> | undefined;
  const stop = (): Promise<Process[]> => (stopped ??= stopAll(folder, opened, disks, [...agents, server]));
  return {
    folder,
    person,
    key,
    sets,
    server,
    agents,
    client,
    agent(name) {
      const found = agents.find((agent) => agent.name === name);
      if (!found) throw new Error(`there is no agent ${name} in this cluster`);
      return found;
    },
    async openRemoteClient() {
      const made = JSON.parse(
        await person.must(['token', 'create', 'testkit', '--role', 'administrator', '--json']),
      ) as { token: string };
      const { fetch } = keep(
        fetchOverTls(
          () => sets,
          () => Date.now(),
        ),
      );
      return connect({ url: `https://127.0.0.1:${server.peoplePort}`, fetch, token: made.token });
    },
    processes: () => readProcesses(folder),
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
    },
  };
}

async function startServer(folder: string, person: Shell, wish: ClusterWish): Promise<Cluster['server']> {
  const member = memberOf('server', join(folder, 'server'));
  const fixed = ['up', '--no-agent', '--dir', member.folder, '--host', '127.0.0.1'];
  const up = async (ports: { peoplePort: number; agentPort: number }): Promise<void> => {
    await person.must(
      fixed.concat('--port', String(ports.peoplePort), '--agent-port', String(ports.agentPort)),
    );
  };
  const down = async (): Promise<void> => {
    await person.must(['down', '--dir', member.folder]);
  };
  const anyPorts = { peoplePort: 0, agentPort: 0 };
  const { leaseSeconds, database } = wish;
  if (database !== undefined) fixed.push('--database', database);
  // What runs already is claimed by `writ up`, and not started again.
  if (leaseSeconds !== undefined)
    await startServerProgram(member.folder, { ...anyPorts, leaseSeconds, database });
  await up(anyPorts);
  const ports = readAddress(member.folder);
  if (leaseSeconds === undefined) return { ...member, ...ports, start: () => up(ports), stop: down };
  const start = (): Promise<void> => startServerProgram(member.folder, { ...ports, leaseSeconds });
  return { ...member, ...ports, start, stop: down };
}

function memberOf(name: string, folder: string): Pick<Member, 'name' | 'folder' | 'processes' | 'kill'> {
  const processes = (): Process[] => readProcesses(folder);
  return {
    name,
    folder,
    processes,
    kill(which = () => true) {
      const killed = processes().filter(which);
      for (const { pid } of killed) sendSignal(pid, 'SIGKILL');
      return killed.length;
    },
  };
}

function agentMember(
  agent: AgentWish,
  folder: string,
  owner: Shell,
): Omit<AgentMember, 'identity' | 'proxy'> {
  let starter: ChildProcess | undefined;
  return {
    ...memberOf(agent.name, folder),
    async start() {
      starter = startAgent(owner, folder, agent.environment);
      await once(starter, 'spawn');
    },
    async ended() {
      if (starter && starter.exitCode === null && starter.signalCode === null) await once(starter, 'exit');
    },
    async stop() {
      if (!starter || starter.exitCode !== null || starter.signalCode !== null) return;
      const ended = once(starter, 'exit');
      starter.kill('SIGTERM');
      await Promise.race([ended, sleep(GRACE_MS, undefined, { ref: false })]);
    },
  };
}

const GRACE_MS = 10_000;

async function readPerson(person: Shell): Promise<{ key: PersonKey; sets: HeldSets }> {
  const people = new PeopleFolder(join(person.configuration, 'writ'));
  const { current, contexts } = await people.readContexts();
  const context = contexts.find(({ name }) => name === current);
  if (!context || context.person === null) throw new Error('`writ up` left no context with a person');
  const sets = await people.readSets(context.cluster);
  if (!sets) throw new Error('`writ up` pinned no signer set');
  return { key: await people.readKey(context.person), sets };
}

function readAddress(state: string): { peoplePort: number; agentPort: number } {
  return JSON.parse(readFileSync(join(state, 'server', 'address.json'), 'utf8')) as ReturnType<
    typeof readAddress
  >;
}

const PATIENCE_MS = 60_000;

/** @returns identity keys by name. */
async function waitForAgents(
  client: Client,
  wishes: readonly AgentWish[],
): Promise<ReadonlyMap<string, string>> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const { items } = await client.listAgents({ limit: 500 });
    const ready = items.filter((agent) => agent.isConnected && agent.profiles.length > 0);
    const missing = wishes.filter(({ name }) => !ready.some((agent) => agent.name === name));
    if (missing.length === 0) return new Map(ready.map((agent) => [agent.name, agent.identity]));
    if (performance.now() > until) {
      throw new Error(
        `${missing.map(({ name }) => name).join(', ')} did not connect in ${PATIENCE_MS / 1000} s`,
      );
    }
    await sleep(50);
  }
}

async function stopAll(
  folder: string,
  opened: AsyncDisposable[],
  disks: readonly string[],
  members: readonly Member[] = [],
): Promise<Process[]> {
  for (const one of opened.splice(0)) await one[Symbol.asyncDispose]();
  await Promise.all(members.map((member) => member.stop().catch(() => {})));
  let left = readProcesses(folder);
  for (let tries = 0; left.length > 0 && tries < 20; tries += 1) {
    await sleep(50);
    left = readProcesses(folder);
  }
  for (const { pid } of left) sendSignal(pid, 'SIGKILL');
  for (const disk of disks) removeSmallDisk(disk);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  return left;
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended meanwhile.
  }
}
