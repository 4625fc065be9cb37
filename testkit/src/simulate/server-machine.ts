import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { CancelJob, Envelope } from '@writ/contract';
import { LINK_ROUTES } from '@writ/contract';
import { openStore } from '@writ/store';
import type { By, Store } from '@writ/store';
import { checkLeaf, isLeafCurrent } from '@writ/trust/certificates';
import type { PeerExpectation } from '@writ/trust/certificates';
import { allSets, TrustError } from '@writ/trust';
import { admitWith } from '../../../apps/server/src/admit.ts';
import { giveLeafWith } from '../../../apps/server/src/certificates/give-leaf.ts';
import type { Certificates } from '../../../apps/server/src/certificates/keep-certificates.ts';
import type { Clock } from '../../../apps/server/src/clock.ts';
import { openCluster } from '../../../apps/server/src/cluster.ts';
import { openDispatch } from '../../../apps/server/src/dispatch/open-dispatch.ts';
import { openEnrolment } from '../../../apps/server/src/enrol/serve-enrolment.ts';
import { keepLeases } from '../../../apps/server/src/lease/keep-leases.ts';
import { mindClockWith } from '../../../apps/server/src/mind-clock.ts';
import { openLiveLink } from '../../../apps/server/src/link/live-link.ts';
import type { LiveLink } from '../../../apps/server/src/link/live-link.ts';
import { takeReceiptsWith } from '../../../apps/server/src/link/take-receipts.ts';
import type { KeptFiles } from '../../../apps/server/src/kept-files.ts';
import type { KeptLogs } from '../../../apps/server/src/kept-logs.ts';
import type { Log } from '../../../apps/server/src/log.ts';
import { openMembers } from '../../../apps/server/src/members.ts';
import type { Member } from '../../../apps/server/src/members.ts';
import { openOrders } from '../../../apps/server/src/orders.ts';
import { cancelJob } from '../../../apps/server/src/people/cancel-job.ts';
import { submitJob } from '../../../apps/server/src/people/submit-job.ts';
import { openProgress } from '../../../apps/server/src/progress.ts';
import type { Happenings } from './happenings.ts';
import type { PaperAuthority, ServerLeaf } from './paper-authority.ts';
import type { Host, Program, Timeline } from './virtual-time.ts';
import { monotonicOf, ProgramOver, wallOf } from './virtual-time.ts';
import type { Wire, WireEnd } from './wire.ts';

/** The server's own parts on virtual time, its database, and what stands in for TLS, HTTP/2 and Fastify. */
export interface ServerMachine {
  readonly host: Host;
  readonly program: Program | undefined;
  /** What it shows of itself. */
  readonly leaf: ServerLeaf;
  readonly listening: boolean;
  /** When it began to listen. */
  readonly openedAt: number;
  start(): void;
  /** What people ask of it; null while it does not run. */
  readonly people: PeoplesServer | null;
  serveLink(wire: Wire, chain: readonly Uint8Array[], from: string): WireEnd & LinkRequests;
  serveEnrolment(wire: Wire, from: string): WireEnd;
  /** After the run: the connections of all its programs to the database. */
  close(): Promise<void>;
}

export interface LinkRequests {
  answer(
    method: string,
    route: string,
    json: unknown,
  ): Promise<{ readonly status: number; readonly body: unknown }>;
}

/** Each is what a route does behind its schema and its policy. */
export interface PeoplesServer {
  readonly store: Store;
  claim(set: Envelope): Promise<unknown>;
  submit(order: Envelope): Promise<unknown>;
  cancel(job: string, asked: CancelJob): Promise<boolean>;
  changeSet(set: Envelope): Promise<unknown>;
  leaveFreshness(mark: Envelope): Promise<unknown>;
  ban(identity: string, name: string): Promise<unknown>;
}

export interface ServerMachineParts {
  readonly timeline: Timeline;
  readonly host: Host;
  readonly file: string;
  readonly leaseSeconds: number;
  readonly leafLifeMs: number;
  readonly paper: PaperAuthority;
  readonly happenings: Happenings;
  readonly startProgram: (host: Host) => Program;
  /** May end the program at this call of its store. @throws ProgramOver when it does. */
  readonly maybeEnd: (program: Program, where: string) => void;
}

interface Serving extends Omit<WireEnd, 'program'>, LinkRequests {
  member: Member | undefined;
}

const SILENCE_MS = 2_400;

export async function makeServerMachine(parts: ServerMachineParts, cluster: string): Promise<ServerMachine> {
  const { timeline, host, happenings } = parts;
  const leaf = await parts.paper.serverLeaf(cluster);
  let program: Program | undefined;
  let run: Awaited<ReturnType<typeof open>> | null = null;
  let openedAt = 0;
  const stores: Store[] = [];

  async function open(of: Program) {
    const clock: Clock = {
      now: () => wallOf(host, timeline),
      monotonic: () => monotonicOf(host, timeline),
      after: (milliseconds, then) => timeline.after(milliseconds / host.rate, of, then),
    };
    const log: Log = (level, event, fields) => {
      if (!of.isOver && level !== 'debug')
        happenings.note(`server ${event} ${fields ? JSON.stringify(fields, plainly) : ''}`);
    };
    const { leaseSeconds } = parts;
    const opened = await openStore({ file: parts.file });
    stores.push(opened);
    const store = endable(opened, of, parts.maybeEnd);
    const cluster = await openCluster(store);
    const members = await openMembers(store, cluster);
    const orders = openOrders(store);
    const progress = openProgress();
    const admit = admitWith(store, cluster, members);
    const certificates: Certificates = {
      root: parts.paper.authority.rootCertificate,
      issuing: parts.paper.authority.issuingCertificate,
      kept: Promise.resolve(),
      ownLeaf: () => Promise.reject(new Error('the simulator shows its own')),
      issueAgentLeaf: (asked) =>
        timeline.holdFor(
          parts.paper.issueAgentLeaf({ ...asked, now: clock.now(), lifeMs: parts.leafLifeMs }),
        ),
    };
    const giveLeaf = giveLeafWith({ store, clock, log, cluster, members, certificates });
    await store.leases.renewAll(leaseSeconds, { actor: 'server', source: 'start', now: clock.now() });
    const dispatch = await openDispatch({ store, clock, log, leaseSeconds });
    const lookAgain = (): void => {
      dispatch.lookAgain().catch((error: unknown) => log('error', 'dispatch.look_failed', { error }));
    };
    const links = new Map<string, LiveLink>();
    const cuts = new Map<LiveLink, (code: string) => void>();
    const mindClock = mindClockWith({ store, clock, log, leaseSeconds });
    keepLeases({
      store,
      clock,
      log,
      leaseSeconds,
      mindClock,
      onReleased: (tasks) => {
        for (const [identity, lost] of Map.groupBy(tasks, (task) => task.identity))
          links.get(identity)?.lose(lost);
        lookAgain();
      },
    });
    members.onStopped((identity) => {
      const link = links.get(identity);
      if (link) cuts.get(link)?.('certificate.banned');
    });
    cluster.onSet(() => {
      for (const link of links.values()) link.send({ is: 'set', set: cluster.newest() });
    });
    cluster.onFreshness((envelope) => {
      for (const link of links.values()) link.send({ is: 'freshness', envelope });
    });
    const counters = { orders: 0, receipts: 0 };
    const takeReceipts = takeReceiptsWith({
      store,
      cluster,
      orders,
      dispatch,
      logs: NO_LOGS,
      progress,
      log,
      counters,
    });
    const enrolment = openEnrolment({ store, clock, log, cluster, admit, giveLeaf });
    const keepPinging = (): void => {
      clock.after(SILENCE_MS / 4, () => {
        const now = clock.now();
        for (const link of links.values())
          if (now - link.lastHeard > SILENCE_MS) link.close('link.silent', 'Nothing was heard.');
          else link.send({ is: 'ping', n: 0, at: Math.floor(clock.monotonic()) });
        if (links.size > 0)
          store.trust
            .markSeen([...links.keys()], now)
            .catch((error: unknown) => log('error', 'link.seen_failed', { error }));
        keepPinging();
      });
    };
    keepPinging();

    const expect = (): PeerExpectation => ({
      cluster: cluster.sets().cluster,
      roles: ['agent'],
      now: clock.now(),
      roots: cluster.roots(),
      issuing: [certificates.issuing],
      mayActNow: members.mayActNow,
    });
    const by = (): By => ({ actor: 'local:0', source: 'socket', now: clock.now() });
    const submitParts = {
      store,
      clock,
      cluster,
      orders,
      dispatch,
      files: NO_FILES,
      counters,
      refuseWhenFull: () => Promise.resolve(),
      queueNames: () => Promise.resolve(new Set<string>()),
    };
    const people: PeoplesServer = {
      store,
      claim: async (set) => await cluster.claim(set, 'server', by()),
      submit: async (order) => await submitJob(submitParts, order, by()),
      async cancel(id, asked) {
        const job = await store.jobs.readJob(id);
        if (!job) return false;
        await cancelJob(
          {
            store,
            cluster,
            cancel: (identity, tasks, how) => links.get(identity)?.cancel(tasks, how),
            withdraw: (envelope) => {
              for (const link of links.values()) link.send({ is: 'withdraw', envelope });
            },
          },
          job,
          asked,
          by(),
        );
        return true;
      },
      changeSet: async (set) => await cluster.change([set], by()),
      leaveFreshness: async (mark) => await cluster.leaveFreshness(mark, by()),
      async ban(identity, name) {
        await store.trust.setAgentState(identity, 'banned', 'simulated', by());
        members.stop(identity, name);
        const released = await store.leases.loseAgent(identity, [], by());
        if (released.tasks.length > 0) lookAgain();
      },
    };
    const serve = (wire: Wire, chain: readonly Uint8Array[], source: string): Serving => {
      const peer = checkLeaf(chain, expect());
      let link: LiveLink | undefined;
      let refused = false;
      let early: string[] = [];
      let unsent: string[] = [];
      let isEnded = false;
      const flush = (): void => {
        const lines = unsent;
        unsent = [];
        if (lines.length > 0) wire.send('to agent', lines);
      };
      const end = (): void => {
        flush();
        isEnded = true;
        wire.close('server');
      };
      const cut = (code: string): void => {
        link?.close(code, `This agent may not act any more: ${code}.`);
        setImmediate(() => wire.close('server'));
      };
      const receive = (member: Member, lines: readonly string[]): void => {
        const answer = isLeafCurrent(peer, clock.now()) ? members.mayStillAct(member) : 'expired';
        if (answer !== true) return cut(`certificate.${answer}`);
        void link?.receive(lines);
      };
      members
        .memberOf(peer)
        .then((member) => {
          if (wire.isOver) return;
          if (typeof member === 'string') {
            refused = true;
            happenings.note(`server refuses ${source}: ${member}`);
            wire.close('server');
            return;
          }
          link = openLiveLink(
            {
              store,
              clock,
              log,
              cluster,
              orders,
              dispatch,
              progress,
              takeReceipts,
              leaseSeconds,
              mindClock,
              silenceMs: SILENCE_MS,
              serverName: 'server',
              version: '0.0.0',
              onReleased: lookAgain,
              onHello: (live) => {
                const before = links.get(member.identity);
                links.set(member.identity, live);
                before?.close('link.replaced', 'This agent has connected again.');
              },
            },
            member,
            source,
            {
              isFull: false,
              roomy: () => Promise.resolve(),
              send(message) {
                if (isEnded) return;
                if (unsent.length === 0) setImmediate(flush);
                unsent.push(JSON.stringify(message));
              },
              end,
            },
            () => wire.close('server'),
          );
          cuts.set(link, cut);
          serving.member = member;
          const waiting = early;
          early = [];
          if (waiting.length > 0) receive(member, waiting);
        })
        .catch((error: unknown) => {
          log('error', 'link.member_unreadable', { error });
          wire.close('server');
        });
      const serving: Serving = {
        member: undefined,
        onLines(lines) {
          if (refused) return;
          if (serving.member) receive(serving.member, lines);
          else early.push(...lines);
        },
        onOver() {
          link?.ended();
          const member = serving.member;
          if (member && link && links.get(member.identity) === link) links.delete(member.identity);
        },
        async answer(method, route, json) {
          const { member } = serving;
          const answer =
            member && (isLeafCurrent(peer, clock.now()) ? members.mayStillAct(member) : 'expired');
          if (!member || answer !== true) {
            cut(`certificate.${String(answer)}`);
            return { status: 401, body: {} };
          }
          if (method === 'GET' && route.startsWith(`${LINK_ROUTES.sets}?after=`)) {
            const sets = allSets(cluster.sets(), Number(route.split('=')[1]));
            return { status: 200, body: { sets, freshness: cluster.freshness() } };
          }
          if (method === 'POST' && route === LINK_ROUTES.certificate) {
            try {
              const asked = { identity: member.identity, source };
              return { status: 200, body: await giveLeaf(json as Envelope, asked) };
            } catch (error) {
              if (!(error instanceof TrustError)) throw error;
              return { status: 422, body: { code: error.code, detail: error.message } };
            }
          }
          return { status: 404, body: {} };
        },
      };
      return serving;
    };
    return { people, serve, enrolment };
  }

  return {
    host,
    leaf,
    get program() {
      return program?.isOver === false ? program : undefined;
    },
    get listening() {
      return program?.isOver === false && run !== null;
    },
    get openedAt() {
      return openedAt;
    },
    get people() {
      return program?.isOver === false ? (run?.people ?? null) : null;
    },
    start() {
      const begun = parts.startProgram(host);
      program = begun;
      run = null;
      timeline.after(0, begun, () => {
        open(begun).then(
          (opened) => {
            if (begun.isOver) return;
            run = opened;
            openedAt = timeline.now;
          },
          (error: unknown) => {
            if (!(error instanceof ProgramOver) && !begun.isOver)
              happenings.onFault(`the server does not start: ${String(error)}`);
          },
        );
      });
    },
    serveLink(wire, chain, from) {
      const of = program;
      if (!of || of.isOver || !run) return nobody(host, wire, of);
      of.onOver.push(() => wire.close('server'));
      let serving: Serving | undefined;
      const begin = (): Serving | undefined => {
        try {
          return (serving ??= run?.serve(wire, chain, from));
        } catch (error) {
          // As after a handshake that the server judged otherwise.
          if (!(error instanceof TrustError)) throw error;
          happenings.note(`server refuses ${from}: ${error.code}`);
          wire.close('server');
          return undefined;
        }
      };
      return {
        program: of,
        onLines: (lines) => begin()?.onLines(lines),
        onOver: () => serving?.onOver(),
        answer: async (method, route, json) => {
          const begun = begin();
          return begun ? await begun.answer(method, route, json) : { status: 401, body: {} };
        },
      };
    },
    serveEnrolment(wire, from) {
      const of = program;
      if (!of || of.isOver || !run) return nobody(host, wire, of);
      of.onOver.push(() => wire.close('server'));
      const { enrolment } = run;
      let socket: Duplex | undefined;
      const begin = (): Duplex => {
        if (socket) return socket;
        socket = new Duplex({
          read: () => undefined,
          write(chunk: Buffer, _encoding, done) {
            for (const line of chunk.toString('utf8').split('\n').filter(Boolean))
              wire.send('to agent', [line]);
            done();
          },
        });
        Object.assign(socket, { remoteAddress: from });
        enrolment.serve(socket as unknown as TLSSocket);
        return socket;
      };
      return {
        program: of,
        onLines: (lines) => {
          const to = begin();
          for (const line of lines) to.push(`${line}\n`);
        },
        onOver: () => socket?.destroy(),
      };
    },
    async close() {
      await Promise.all(stores.map(async (store) => await store.close()));
    },
  };
}

function nobody(host: Host, wire: Wire, of: Program | undefined): WireEnd & LinkRequests {
  wire.close('both');
  const over: Program = of ?? {
    name: 'nobody',
    host,
    isOver: true,
    pausedUntil: 0,
    lastTurn: 0,
    onOver: [],
  };
  return {
    program: over,
    onLines: () => undefined,
    onOver: () => undefined,
    answer: () => Promise.reject(new ProgramOver('nobody')),
  };
}

/** The store of a program that may be killed at each call of it: before it was asked, and after it was done. */
function endable(store: Store, of: Program, maybeEnd: (program: Program, where: string) => void): Store {
  const never = (): Promise<never> => new Promise(() => undefined);
  const wrap = <T extends object>(what: T, name: string): T =>
    new Proxy(what, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]): unknown => {
          if (of.isOver) return never();
          try {
            maybeEnd(of, `before ${name}.${String(key)}`);
          } catch {
            return never();
          }
          const answer = Reflect.apply(value, target, given) as Promise<unknown>;
          const passOn = <R>(settle: () => R): R | Promise<never> => {
            if (of.isOver) return never();
            try {
              maybeEnd(of, `after ${name}.${String(key)}`);
            } catch {
              return never();
            }
            return settle();
          };
          return answer.then(
            (result) => passOn(() => result),
            (error: unknown) =>
              passOn(() => {
                throw error;
              }),
          );
        };
      },
    });
  return {
    ...store,
    trust: wrap(store.trust, 'trust'),
    jobs: wrap(store.jobs, 'jobs'),
    leases: wrap(store.leases, 'leases'),
    files: wrap(store.files, 'files'),
    tokens: wrap(store.tokens, 'tokens'),
    audit: wrap(store.audit, 'audit'),
  };
}

function plainly(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value;
}

const unasked = (): never => {
  throw new TypeError('jobs of the simulator have neither logs nor files');
};
const NO_LOGS: KeptLogs = {
  append: unasked,
  keepShort: () => Promise.resolve(),
  seal: unasked,
  adopt: unasked,
  sizeOf: unasked,
  sizeOfJob: unasked,
  removeJob: unasked,
  read: unasked,
  onGrown: unasked,
};
const NO_FILES: KeptFiles = {
  sizeOf: unasked,
  receive: unasked,
  isSound: unasked,
  uploadedOf: unasked,
  append: unasked,
  remove: unasked,
  listPart: unasked,
  read: unasked,
};
