import { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Envelope, FromServer } from '@writ/contract';
import { fromServerCheck, orderOfAnyShapeCheck, readMessage } from '@writ/contract';
import { checkLeaf } from '@writ/trust/certificates';
import { AgentError } from '../../../apps/agent/src/agent-error.ts';
import type { Clock } from '../../../apps/agent/src/clock.ts';
import { compose } from '../../../apps/agent/src/compose.ts';
import type { AgentNetwork } from '../../../apps/agent/src/compose.ts';
import type { Link } from '../../../apps/agent/src/connect/link.ts';
import type { MachineMeasured } from '../../../apps/agent/src/measure/read-machine.ts';
import { joinOver } from '../../../apps/agent/src/join/compose.ts';
import type { OwnedServer } from './owned-server.ts';
import type { ServerMachine } from './server-machine.ts';
import { newNameOf } from './disk-calls.ts';
import { derOf } from './paper-authority.ts';
import { throwDice } from './seeded-random.ts';
import { simulateLauncher, type SimulatedLauncher } from './simulated-launcher.ts';
import type { Happenings } from './happenings.ts';
import type { Host, Program, Timeline } from './virtual-time.ts';
import { monotonicOf, ProgramOver, runningProgram, wallOf } from './virtual-time.ts';
import { openWire, type Path, type Wire } from './wire.ts';

/** A machine that joins, and runs the agent's own composition each time it comes up. */
export interface AgentMachine {
  readonly host: Host;
  readonly path: Path;
  readonly program: Program | undefined;
  readonly wires: ReadonlySet<Wire>;
  readonly identity: string | undefined;
  start(): void;
  /** @returns whether there was one that ran. */
  killLauncher(): boolean;
}

export interface AgentMachineParts {
  readonly timeline: Timeline;
  readonly host: Host;
  readonly path: Path;
  readonly invite: string;
  readonly slots: number;
  readonly launcherFails: number;
  readonly receiptSegmentBytes: number;
  readonly server: () => ServerMachine;
  readonly happenings: Happenings;
  /** The agent has ended because its launcher had. */
  readonly onLeft: (program: Program) => void;
  readonly startProgram: (host: Host) => Program;
  readonly number: () => number;
  /** Null: the server is its owner's. */
  readonly owned: OwnedServer | null;
}

const SILENCE_MS = 3_000;
const CONNECT_MS = 1_000;

export function makeAgentMachine(parts: AgentMachineParts): AgentMachine {
  const { timeline, host, path, happenings } = parts;
  const { dice } = timeline;
  let folder = '';
  const wires = new Set<Wire>();
  let program: Program | undefined;
  let identity: string | undefined;
  let launcher: SimulatedLauncher | undefined;

  const clockOf = (of: Program): Clock => ({
    now: () => wallOf(host, timeline),
    monotonic: () => monotonicOf(host, timeline),
    wait: (milliseconds, signal) => {
      if (signal?.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const over = (): void => {
          takeBack();
          signal?.removeEventListener('abort', over);
          resolve();
        };
        const takeBack = timeline.after(milliseconds / host.rate, of, over);
        signal?.addEventListener('abort', over, { once: true });
      });
    },
  });

  /** The way there and back, or an error after a while. */
  const reach = async (of: Program): Promise<ServerMachine> => {
    const server = parts.server();
    const blocked = Math.max(...Object.values(path.blockedUntil)) - timeline.now;
    await timeline.wait(Math.min(CONNECT_MS, Math.max(0, blocked)) + dice.between(...path.slowness) * 2, of);
    if (blocked > CONNECT_MS || !server.listening) throw new Error('the server cannot be reached');
    return server;
  };

  const network = (of: Program): AgentNetwork => ({
    async dialLink({ own, expect }) {
      const server = await reach(of);
      const judged = checkLeaf(server.leaf.chain, expect());
      const socket = new SimulatedSocket(own.chainPem, server);
      return { socket: socket as unknown as TLSSocket, identity: judged };
    },
    openLink: (socket, onMessage) => openLink(of, socket as unknown as SimulatedSocket, onMessage),
    openEnrolment: async (_to, signal) => await openEnrolment(of, signal),
    listenForServer: () => Promise.reject(new Error('nobody dials in the simulator')),
  });

  async function openEnrolment(of: Program, signal: AbortSignal) {
    const server = await reach(of);
    let answer: (line: string) => void = () => undefined;
    let fail: (error: Error) => void = () => undefined;
    const wire = openWire({
      timeline,
      path,
      agent: () => ({
        program: of,
        onLines: (lines) => {
          for (const line of lines) answer(line);
        },
        onOver: () => {
          wires.delete(wire);
          fail(new AgentError('join.no_answer', 'The connection was closed.'));
        },
      }),
      server: () => served,
      onMessage: () => undefined,
    });
    const served = server.serveEnrolment(wire, host.name);
    wires.add(wire);
    of.onOver.push(() => wire.close('agent'));
    signal.addEventListener('abort', () => {
      wire.close('agent');
      fail(new AgentError('join.no_answer', 'It was given up.'));
    });
    return {
      socket: { getPeerCertificate: () => server.leaf.asPeerCertificate } as unknown as TLSSocket,
      ask: (message: unknown) =>
        new Promise<never>((resolve, reject) => {
          answer = (line) => resolve(JSON.parse(line) as never);
          fail = reject;
          wire.send('to server', [JSON.stringify(message)]);
        }),
      close: () => wire.close('agent'),
    };
  }

  function openLink(
    of: Program,
    { chainPem, server }: SimulatedSocket,
    onMessage: (message: FromServer) => void,
  ): Link {
    const over = Promise.withResolvers<Error | undefined>();
    let isOver = false;
    let unsent: string[] = [];
    const end = (reason?: Error): void => {
      if (isOver) return;
      isOver = true;
      wires.delete(wire);
      over.resolve(reason);
    };
    const wire: Wire = openWire({
      timeline,
      path,
      agent: () => ({
        program: of,
        onLines: (told) => {
          const lines = parts.owned?.speak(told, host.name) ?? told;
          if (parts.owned)
            for (const line of lines) happenings.onMessage(host.name, 'arrived', 'to agent', line);
          for (const line of lines) {
            if (isOver) return;
            try {
              onMessage(messageOf(line));
            } catch (error) {
              end(error instanceof Error ? error : new Error(String(error)));
              wire.close('agent');
            }
          }
        },
        onOver: () => end(new AgentError('link.closed', 'The connection to the server was closed.')),
      }),
      server: () => served,
      onMessage: (at, direction, line) => {
        // Whoever owns the server also keeps words back: what arrives is what it lets pass.
        const isJudgedLater = parts.owned && at === 'arrived' && direction === 'to agent';
        if (!isJudgedLater) happenings.onMessage(host.name, at, direction, line);
      },
    });
    const served = server.serveLink(wire, derOf(chainPem), host.name);
    wires.add(wire);
    of.onOver.push(() => wire.close('agent'));
    const flush = (): void => {
      const lines = unsent;
      unsent = [];
      if (!isOver) wire.send('to server', lines);
    };
    const sendText = (text: string): void => {
      if (isOver || of.isOver) return;
      if (unsent.length === 0) setImmediate(flush);
      unsent.push(text);
    };
    return {
      send: (message) => sendText(JSON.stringify(message)),
      sendText,
      isFull: false,
      roomy: () => Promise.resolve(),
      request: (method, route, _body, json) =>
        new Promise((resolve, reject) => {
          void over.promise.then(() => reject(new AgentError('link.closed', 'The link was closed.')));
          wire.pass('to server', () => {
            served.answer(method, route, json).then(
              ({ status, body }) => {
                // Within one connection nothing is lost but the connection.
                if (happenings.losesAnswer()) return wire.close('both');
                wire.pass('to agent', () =>
                  resolve({ status, body: Readable.from([Buffer.from(JSON.stringify(body))]) }),
                );
              },
              (error: unknown) => {
                if (!(error instanceof ProgramOver)) throw error;
              },
            );
          });
        }),
      over: over.promise,
      close: (reason) => {
        end(reason);
        wire.close('agent');
      },
    };
  }

  const machineOf = (): MachineMeasured => ({
    os: 'linux',
    arch: 'x64',
    host: host.name,
    cores: parts.slots,
    memoryBytes: 2 ** 30,
    machineId: null,
    bootId: `boot-${host.boot}`,
  });

  // The same keys in every run: reading them costs more than using them.
  const ownKeys = throwDice(0, `keys of ${host.name}`);

  /** As `writ join` does it, as often as it takes. */
  async function join(of: Program): Promise<void> {
    const clock = clockOf(of);
    while (identity === undefined) {
      try {
        // Whoever joins a machine by hand does not wait for ever.
        const patience = new AbortController();
        timeline.after(5_000, of, () => patience.abort());
        const line = await openEnrolment(of, patience.signal);
        const wish = { invite: parts.invite, name: host.name, folder, slots: parts.slots };
        const joined = await joinOver(line, {
          ...wish,
          now: () => clock.now(),
          random: (bytes) => ownKeys.fill(bytes),
        });
        identity = joined.identity;
        happenings.onJoined(host.name, joined);
      } catch (error) {
        if (error instanceof ProgramOver || of.isOver) throw error;
        happenings.note(`${host.name} has not joined: ${String(error)}`);
        await clock.wait(dice.between(50, 400));
      }
    }
  }

  async function live(of: Program): Promise<void> {
    await join(of);
    const isolation = (launcher = simulateLauncher({
      timeline,
      program: of,
      slots: parts.slots,
      runsPerSlot: 2,
      number: parts.number,
      watching: happenings,
      failing: parts.launcherFails,
    }));
    const agent = await compose({
      folder,
      isolation,
      network: network(of),
      machine: machineOf(),
      measureSpeed: () => Promise.resolve(1_000),
      silenceMs: SILENCE_MS,
      clock: clockOf(of),
      random: () => dice.next(),
      receiptSegmentBytes: parts.receiptSegmentBytes,
      log: (event, fields) => {
        if (!of.isOver) happenings.note(`${host.name} ${event} ${fields ? JSON.stringify(fields) : ''}`);
      },
    });
    await agent.over;
    if (!of.isOver && isolation.isGone) parts.onLeft(of);
    else if (!of.isOver) happenings.onFault(`${host.name}: the agent ended by itself`);
  }

  return {
    host,
    path,
    wires,
    get program() {
      return program?.isOver === false ? program : undefined;
    },
    get identity() {
      return identity;
    },
    killLauncher() {
      if (!program || program.isOver || !launcher || launcher.isGone) return false;
      launcher.die();
      return true;
    },
    start() {
      const begun = parts.startProgram(host);
      program = begun;
      launcher = undefined;
      folder = newNameOf(`/${host.name}/agent`);
      timeline.after(0, begun, () => {
        live(runningProgram()).catch((error: unknown) => {
          if (!(error instanceof ProgramOver) && !begun.isOver)
            happenings.onFault(`${host.name}: the agent does not start: ${String(error)}`);
        });
      });
    },
  };
}

class SimulatedSocket {
  readonly chainPem: string;
  readonly server: ServerMachine;
  constructor(chainPem: string, server: ServerMachine) {
    this.chainPem = chainPem;
    this.server = server;
  }
  destroy(): void {
    // Nothing was opened on it yet.
  }
}

function messageOf(line: string): FromServer {
  const read = readMessage(line, fromServerCheck);
  if ('message' in read) return read.message;
  const order = readMessage(line, orderOfAnyShapeCheck);
  if ('message' in order) return { is: 'order', digest: order.message.digest, envelope: {} as Envelope };
  throw new AgentError('link.malformed', read.fault);
}
