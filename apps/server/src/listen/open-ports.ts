import { isDeepStrictEqual } from 'node:util';
import { DEFAULTS } from '@writ/contract';
import { linkServerTls, type OwnCertificate } from '@writ/trust/certificates';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { ListeningAt, ServerOptions } from '../running-server.ts';
import { choosePort, keepListening, readKeptListening } from './kept-listening.ts';
import { type AgentListening, listenForAgents } from './listen-for-agents.ts';
import { type Listener, listenForPeople, type PeopleListening } from './listen-for-people.ts';

/** The port for people and the one for agents: closed until the server has a cluster, then open together. */
export interface Ports {
  /** Once: the first who asks opens, the others wait. */
  open(): Promise<void>;
  readonly at: { readonly people: ListeningAt | null; readonly agents: ListeningAt | null };
  /** What the listeners were made with. */
  tls(): { readonly least: string; readonly tickets: boolean };
  /** The certificate may have to be another one: each new connection gets the present one. */
  useLeaf(): void;
  close(): Promise<void>;
}

export interface PortParts
  extends Pick<PeopleListening, 'answer'>, Pick<AgentListening, 'expect' | 'onLink' | 'onEnrol'> {
  readonly clock: Clock;
  readonly log: Log;
  readonly asked: Pick<ServerOptions, 'host' | 'peoplePort' | 'agentPort'>;
  /** Where it is kept on which ones it listened last. */
  readonly listeningFile: string;
  /** The one that this server has, or a new one once that is old. */
  readonly ownLeaf: () => Promise<OwnCertificate>;
  readonly onOpen: () => Promise<void>;
}

const LEAF_LOOK_MS = 3_600_000;
/** As OpenSSL has it. */
const SSL_OP_NO_TICKET = 0x4000;

interface Open {
  readonly people: Listener;
  readonly agents: Listener;
  readonly tls: ReturnType<Ports['tls']>;
  own: OwnCertificate;
}

export function portsWith(parts: PortParts): Ports {
  const { clock, log } = parts;
  let opening: Promise<void> | null = null;
  let ports: Open | null = null;
  let stopLooking = (): void => {};

  const useLeaf = (): void => {
    if (!ports) return;
    ports.people.use(ports.own);
    ports.agents.use(ports.own);
  };
  const keepYoung = (open: Open): void => {
    stopLooking = clock.after(LEAF_LOOK_MS, () => {
      parts
        .ownLeaf()
        .then((leaf) => {
          if (leaf.chainPem === open.own.chainPem) return;
          open.own = leaf;
          useLeaf();
          log('note', 'server.leaf_renewed', {});
        })
        .catch((error: unknown) => log('error', 'server.leaf_failed', { error }))
        .finally(() => keepYoung(open));
    });
  };
  const openNow = async (): Promise<void> => {
    ports ??= await listenOnBoth(parts);
    await parts.onOpen();
    keepYoung(ports);
    log('note', 'server.listening', { people: ports.people.at, agents: ports.agents.at });
  };

  return {
    async open() {
      opening ??= openNow();
      try {
        await opening;
      } catch (error) {
        // A port that was busy may be free the next time.
        opening = null;
        throw error;
      }
    },
    get at() {
      return { people: ports?.people.at ?? null, agents: ports?.agents.at ?? null };
    },
    tls: () => ports?.tls ?? { least: '', tickets: false },
    useLeaf,
    async close() {
      stopLooking();
      await ports?.agents.close();
      await ports?.people.close();
    },
  };
}

async function listenOnBoth(parts: PortParts): Promise<Open> {
  const { asked, expect, onLink, onEnrol, listeningFile, log } = parts;
  const own = await parts.ownLeaf();
  const kept = await readKeptListening(listeningFile);
  const host = asked.host ?? kept.host ?? undefined;
  const opened: Listener[] = [];
  try {
    const people = await listenForPeople({
      own,
      host,
      port: choosePort(asked.peoplePort, kept.people, DEFAULTS.peoplePort),
      answer: parts.answer,
    });
    opened.push(people);
    const agents = await listenForAgents({
      own,
      host,
      port: choosePort(asked.agentPort, kept.agents, DEFAULTS.agentPort),
      expect,
      onLink,
      onEnrol,
      onRefused: (error, address) =>
        log('warning', 'link.refused', { code: error.code, reason: error.message, source: address }),
    });
    opened.push(agents);
    const present = { host: host ?? null, people: people.at.port, agents: agents.at.port };
    if (!isDeepStrictEqual(present, kept)) await keepListening(listeningFile, present);
    return { people, agents, tls: tlsOf(own, expect), own };
  } catch (error) {
    // Whoever asks again asks for both.
    for (const listener of opened.toReversed()) await listener.close();
    throw error;
  }
}

function tlsOf(own: OwnCertificate, expect: AgentListening['expect']): ReturnType<Ports['tls']> {
  const { minVersion = '', secureOptions = 0 } = linkServerTls(own, expect);
  return { least: minVersion, tickets: (secureOptions & SSL_OP_NO_TICKET) === 0 };
}
