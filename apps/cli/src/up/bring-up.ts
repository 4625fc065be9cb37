import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { prepareAgent } from '@writ/agent';
import { readMachineFile } from '@writ/agent/machine-file';
import { type Client, connect, isPassing, readAll } from '@writ/client';
import { fetchOverSocket, type OpenedFetch, openSocketPath, type PersonKey } from '@writ/client/node';
import type { Counter, AgentView, ClusterView } from '@writ/contract';
import type { HeldSets } from '@writ/trust';
import { CliError, type CliCode, PORT_BUSY_NEXT } from '../cli-error.ts';
import type { Surroundings } from '../surroundings.ts';
import { lastWords } from './last-words.ts';
import { ownAgentFolder } from './own-agent-folder.ts';
import type { Places } from './places.ts';
import { noteRunning } from './running-file.ts';
import { programEnvironment } from './program-environment.ts';
import { type Detached, startDetached } from './start-detached.ts';

const mostWaitMs = 20_000;
const lookEveryMs = 15;

export interface Reached extends AsyncDisposable {
  readonly client: Client;
  readonly view: ClusterView;
}

/** The server of this folder, when it answers on its socket. */
export async function reachServer(places: Places): Promise<Reached | undefined> {
  const socket = await openSocketPath(places.state);
  const opened: OpenedFetch = fetchOverSocket(socket.path);
  const close = async (): Promise<void> => {
    await opened.close();
    await socket[Symbol.asyncDispose]();
  };
  const client = connect({ url: 'http://writ', fetch: opened.fetch });
  try {
    return { client, view: await client.readCluster(), [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    if (isPassing(error)) return undefined;
    throw error;
  }
}

/** Waits until the server of this folder answers: the one just started, or the one that was there. */
export async function waitForServer(
  program: Detached | undefined,
  places: Places,
  surroundings: Surroundings,
): Promise<Reached> {
  if (program === undefined) {
    const reached = await reachServer(places);
    if (reached !== undefined) return reached;
    throw new CliError(
      'up.not_ready',
      'The server that was running here has just stopped.',
      'Run the same command again.',
    );
  }
  await noteRunning(places, 'server', program.pid);
  return await waitFor('the server', program, places.serverLog, surroundings, () => reachServer(places));
}

/** Makes the folder of this machine's own agent, and tells the server that the person admits it. */
export async function admitOwnAgent(
  reached: Reached,
  places: Places,
  wish: {
    name: string;
    slots: number | undefined;
    counters: readonly Counter[];
    isBare: boolean;
    key: PersonKey;
    sets: HeldSets;
  },
  { now, random }: Surroundings,
): Promise<void> {
  const { client } = reached;
  const view = await client.readCluster();
  const port = view.agentAddresses[0]?.split(':').at(-1) ?? '7411';
  const prepared = await prepareAgent({
    folder: places.agent,
    name: wish.name,
    sets: wish.sets,
    servers: [`127.0.0.1:${port}`],
    by: { person: wish.key.person, signer: wish.key.signer },
    labels: [],
    queues: ['*'],
    machine: {
      counters: wish.counters,
      ...(wish.slots === undefined ? {} : { slots: wish.slots }),
      ...(wish.isBare ? { profiles: ['strict', 'user', 'bare'] } : {}),
    },
    now: now(),
    random,
  });
  await client.makeAdmission(prepared.admission);
  await ownAgentFolder(places);
}

/** Starts the agent of this folder, detached. */
export async function startAgentDetached(places: Places, surroundings: Surroundings): Promise<Detached> {
  const argv = [
    places.node,
    path.join(places.entries.app, places.entries.cli),
    'agent',
    'run',
    '--dir',
    places.state,
  ];
  const program = startDetached(argv, places.agentLog, programEnvironment(surroundings));
  await noteRunning(places, 'agent', program.pid);
  return program;
}

/** Waits until the server sees the agent of this folder with what it measured. */
export async function waitForAgent(
  program: Detached,
  client: Client,
  places: Places,
  surroundings: Surroundings,
): Promise<AgentView> {
  const { name } = await readMachineFile(places.agent);
  return await waitFor('the agent', program, places.agentLog, surroundings, async () => {
    const agents = await readAll((asked) => client.listAgents(asked));
    return agents.find((one) => one.name === name && one.isConnected && one.cores !== null);
  });
}

async function waitFor<T>(
  what: string,
  program: Detached,
  log: string,
  { wait, now }: Surroundings,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const until = now() + mostWaitMs;
  let ended: string | undefined;
  void program.ended.then(
    ({ code, signal }) => (ended = `It ended with ${code ?? signal}.`),
    (error: Error) => (ended = `It could not be started: ${error.message}.`),
  );
  try {
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (ended !== undefined) throw await notReady(what, ended, log);
      if (now() > until) throw await notReady(what, `It gave no sign within ${mostWaitMs / 1000} s.`, log);
      await wait(lookEveryMs);
    }
  } finally {
    // Ready or not: this program does not wait for its end.
    program.leave();
  }
}

async function notReady(what: string, how: string, log: string): Promise<CliError> {
  const text = await readFile(log, 'utf8').catch(() => '');
  const last = lastWords(text);
  const code: CliCode = text.slice(-4000).includes('listen.port_busy') ? 'listen.port_busy' : 'up.not_ready';
  const next = code === 'listen.port_busy' ? PORT_BUSY_NEXT : `See its log: ${log}`;
  return new CliError(
    code,
    `${what.charAt(0).toUpperCase()}${what.slice(1)} did not become ready. ${how}${last && ` ${last}`}`,
    next,
  );
}
