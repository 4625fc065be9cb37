import { isDeepStrictEqual } from 'node:util';
import { chmod, mkdir, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { DEFAULTS, encodeBase32 } from '@writ/contract';
import { openStore, StoreError } from '@writ/store';
import { holdFolder } from '@writ/store/hold-folder';
import { linkServerTls, type PeerExpectation } from '@writ/trust/certificates';
import manifest from '../package.json' with { type: 'json' };
import { admitWith } from './admit.ts';
import { giveLeafWith } from './certificates/give-leaf.ts';
import { hostNames, serverNameOf } from './certificates/host-names.ts';
import { keepCertificates } from './certificates/keep-certificates.ts';
import { chooseDatabase } from './choose-database.ts';
import type { Clock } from './clock.ts';
import { openCluster } from './cluster.ts';
import { readMachine } from './config/read-machine.ts';
import { statePaths } from './state-paths.ts';
import { openDispatch } from './dispatch/open-dispatch.ts';
import { openEnrolment } from './enrol/serve-enrolment.ts';
import { keepFiles, removeOldUploads } from './files/keep-files.ts';
import { keepLease } from './config/kept-lease.ts';
import { keepLeases } from './lease/keep-leases.ts';
import { openLinkApp } from './link/link-app.ts';
import { takeReceiptsWith } from './link/take-receipts.ts';
import { choosePort, keepListening, readKeptListening } from './listen/kept-listening.ts';
import { listenForAgents } from './listen/listen-for-agents.ts';
import { listenForPeople } from './listen/listen-for-people.ts';
import { listenOnSocket } from './listen/listen-on-socket.ts';
import { dialAgent } from './listen/dial-agent.ts';
import type { Log } from './log.ts';
import { keepLogs } from './logs/keep-logs.ts';
import { openMembers } from './members.ts';
import { openOrders } from './orders.ts';
import { openFollowers } from './people/followers.ts';
import { openPeopleApp } from './people/people-app.ts';
import type { PeopleParts } from './people/people-parts.ts';
import { everyHour } from './every-hour.ts';
import { openProgress } from './progress.ts';
import { pruneWith } from './retention/prune.ts';
import { refuseWhenFullWith } from './refuse-when-full.ts';
import type { AddressFile, ListeningAt, RunningServer, ServerOptions } from './running-server.ts';
import { StartError } from './server-error.ts';

/** An upload that nobody went on with for a day is not gone on with. */
const UPLOAD_REST_MS = 86_400_000;
const SILENCE_SECONDS = 60;
const LEAF_LOOK_MS = 3_600_000;
/** As OpenSSL has it. */
const SSL_OP_NO_TICKET = 0x4000;

/** All wiring of the server: what is made here is closed here, in reverse. */
export async function composeServer(options: ServerOptions): Promise<RunningServer> {
  process.umask(0o077);
  const { silenceSeconds = SILENCE_SECONDS } = options;
  const log: Log = options.log ?? (() => {});
  const clock = systemClock();
  const randomBytes = (size: number): Uint8Array => crypto.getRandomValues(new Uint8Array(size));
  const newId = (): string => encodeBase32(randomBytes(16));
  const uid = process.getuid?.() ?? 0;
  const machine = readMachine();
  const serverName = options.name ?? serverNameOf(machine.host);
  const paths = statePaths(options.state);
  const closing: (() => void | Promise<void>)[] = [];
  const stopped = Promise.withResolvers<void>();
  let closed: Promise<void> | null = null;

  const close = async (): Promise<void> => {
    closed ??= (async () => {
      log('note', 'server.stopping', {});
      for (const step of closing.toReversed()) {
        try {
          await step();
        } catch (error) {
          log('error', 'server.close_failed', { error });
        }
      }
      log('note', 'server.stopped', {});
      stopped.resolve();
    })();
    await closed;
  };

  try {
    await mkdir(paths.folder, { recursive: true, mode: 0o700 });
    await chmod(paths.folder, 0o700);
    const hold = holdOf(paths.folder);
    closing.push(() => hold.release());
    const leaseSeconds = keepLease(paths.lease, options.leaseSeconds, DEFAULTS.leaseSeconds);
    const certificates = await keepCertificates(paths, clock, randomBytes);
    closing.push(async () => await certificates.kept);
    const store = await openStore(chooseDatabase(options.database, paths));
    closing.push(async () => await store.close());

    const cluster = await openCluster(store);
    const members = await openMembers(store, cluster);
    const orders = openOrders(store);
    const progress = openProgress();
    const files = await keepFiles(paths.files, (digest) => log('error', 'file.damaged', { digest }));
    const logs = keepLogs(paths.logs);
    const stopping = new AbortController();
    const prune = pruneWith({ store, files, logs, orders, signal: stopping.signal });
    const tidyUploads = async (): Promise<void> => {
      const removed = await removeOldUploads(paths.files, clock.now() - UPLOAD_REST_MS);
      if (removed > 0) log('note', 'uploads.removed', { removed });
    };
    await tidyUploads();
    const tidying = everyHour(clock, async () => {
      await tidyUploads().catch((error: unknown) => log('error', 'uploads.not_removed', { error }));
      try {
        const by = { actor: 'server', source: 'retention', now: clock.now() };
        const { isDryRun: _, ...removed } = await prune({ isDryRun: false, olderThanSeconds: null }, by);
        if (removed.jobs + removed.files > 0) log('note', 'retention.removed', removed);
      } catch (error) {
        if (!stopping.signal.aborted) log('error', 'retention.failed', { error });
      }
    });
    closing.push(async () => {
      stopping.abort();
      await tidying.close();
    });
    const refuseWhenFull = refuseWhenFullWith(
      () => clock.monotonic(),
      async () => {
        const { bavail, blocks, bsize } = await statfs(paths.folder);
        return { free: bavail * bsize, total: blocks * bsize, reusable: await store.reusableBytes() };
      },
      options.reserveBytes,
    );
    const counters = { orders: 0, receipts: 0 };
    const admit = admitWith(store, cluster, members);
    const giveLeaf = giveLeafWith({ store, clock, log, cluster, members, certificates });
    const started = clock.now();
    // Nobody could renew while this server was away: every open lease begins again.
    await store.leases.renewAll(leaseSeconds, { actor: 'server', source: 'start', now: started });

    const dispatch = await openDispatch({ store, clock, log, leaseSeconds });
    closing.push(() => dispatch.close());
    const forgetting = everyHour(clock, () =>
      dispatch
        .forgetClasses()
        .catch((error: unknown) => log('error', 'dispatch.classes_not_forgotten', { error })),
    );
    closing.push(async () => await forgetting.close());
    const onReleased = (): void => {
      dispatch.lookAgain().catch((error: unknown) => log('error', 'dispatch.look_failed', { error }));
    };
    const links = await openLinkApp({
      store,
      clock,
      log,
      cluster,
      members,
      orders,
      dispatch,
      progress,
      files,
      logs,
      refuseWhenFull,
      leaseSeconds,
      silenceMs: silenceSeconds * 1_000,
      serverName,
      version: manifest.version,
      takeReceipts: takeReceiptsWith({ store, cluster, orders, dispatch, logs, progress, log, counters }),
      renewCertificate: async (request, member, source) =>
        await giveLeaf(request, { identity: member.identity, source }),
      onReleased,
    });
    closing.push(async () => await links.close());
    const keeper = keepLeases({
      store,
      clock,
      log,
      leaseSeconds,
      onReleased: (tasks) => {
        for (const [identity, lost] of Map.groupBy(tasks, (task) => task.identity))
          links.links().get(identity)?.lose(lost);
        onReleased();
      },
    });
    closing.push(() => keeper.close());
    const enrolment = openEnrolment({ store, clock, log, cluster, admit, giveLeaf });
    closing.push(() => enrolment.close());
    closing.push(
      cluster.onSet(() => {
        for (const link of links.links().values()) link.send({ is: 'set', set: cluster.newest() });
      }),
      cluster.onFreshness((envelope) => {
        for (const link of links.links().values()) link.send({ is: 'freshness', envelope });
      }),
    );

    const at: { people: ListeningAt | null; agents: ListeningAt | null; socket: string } = {
      people: null,
      agents: null,
      socket: '',
    };
    const writeAddress = async (): Promise<void> => {
      if (at.socket === '') return;
      const file: AddressFile = {
        pid: process.pid,
        name: serverName,
        socket: at.socket,
        host: options.host ?? null,
        peoplePort: at.people?.port ?? null,
        agentPort: at.agents?.port ?? null,
      };
      await writeFile(`${paths.addressFile}.new`, `${JSON.stringify(file)}\n`, { mode: 0o600 });
      await rename(`${paths.addressFile}.new`, paths.addressFile);
    };

    const reachableAt = (listening: ListeningAt | null): string[] => {
      if (!listening) return [];
      return reachableHosts(options, machine).map(
        (host) => `${host.includes(':') ? `[${host}]` : host}:${listening.port}`,
      );
    };
    const arrivals: PeopleParts['arrivals'] = new WeakSet();
    const parts: PeopleParts = {
      store,
      clock,
      log,
      cluster,
      members,
      orders,
      dispatch,
      progress,
      files,
      logs,
      admit,
      followers: openFollowers(),
      arrivals,
      uid,
      version: manifest.version,
      serverName,
      leaseSeconds,
      started,
      counters,
      root: certificates.root,
      newId,
      randomBytes,
      claimed: async () => await openPorts(),
      addresses: () => ({ people: reachableAt(at.people), agents: reachableAt(at.agents) }),
      links: () => links.links(),
      linkProtocols: () => links.protocols(),
      tls: () => tlsSettings,
      cancel: (identity, tasks, how) => links.links().get(identity)?.cancel(tasks, how),
      withdraw: (envelope) => {
        for (const link of links.links().values()) link.send({ is: 'withdraw', envelope });
      },
      refuseWhenFull,
      prune,
      describeApi: async () => await (await import('./people/describe-api.ts')).describeApi(parts),
      stop: () => void close(),
    };
    const people = await openPeopleApp(parts);
    closing.push(async () => await people.close());
    await certificates.kept;

    const names = hostNames(machine, [
      ...(options.host === undefined ? [] : [options.host]),
      ...(options.hostNames ?? []),
    ]);
    const expect = (): PeerExpectation => ({
      cluster: cluster.sets().cluster,
      roles: ['agent'],
      now: clock.now(),
      roots: cluster.roots(),
      issuing: [certificates.issuing],
      mayActNow: members.mayActNow,
    });
    let tlsSettings = { least: '', tickets: false };
    let opening: Promise<void> | null = null;
    /** Once: the first who asks opens, the others wait. */
    const openPorts = async (): Promise<void> => {
      opening ??= listenOnPorts();
      try {
        await opening;
      } catch (error) {
        // A port that was busy may be free the next time.
        opening = null;
        throw error;
      }
    };
    const listenOnPorts = async (): Promise<void> => {
      const ownLeaf = async () => await certificates.ownLeaf(cluster.sets().cluster, serverName, names);
      let own = await ownLeaf();
      const kept = await readKeptListening(paths.listeningFile);
      const host = options.host ?? kept.host ?? undefined;
      const forPeople = await listenForPeople({
        own,
        host,
        port: choosePort(options.peoplePort, kept.people, DEFAULTS.peoplePort),
        answer: people.answer,
      });
      closing.push(forPeople.close);
      const forAgents = await listenForAgents({
        own,
        host,
        port: choosePort(options.agentPort, kept.agents, DEFAULTS.agentPort),
        expect,
        onLink: links.serve,
        onEnrol: enrolment.serve,
        onRefused: (error, address) =>
          log('warning', 'link.refused', { code: error.code, reason: error.message, source: address }),
      });
      closing.push(forAgents.close);
      const { minVersion = '', secureOptions = 0 } = linkServerTls(own, expect);
      tlsSettings = { least: minVersion, tickets: (secureOptions & SSL_OP_NO_TICKET) === 0 };
      at.people = forPeople.at;
      at.agents = forAgents.at;
      const present = { host: host ?? null, people: at.people.port, agents: at.agents.port };
      if (!isDeepStrictEqual(present, kept)) await keepListening(paths.listeningFile, present);
      await writeAddress();

      const useLeaf = (): void => {
        forPeople.use(own);
        forAgents.use(own);
      };
      closing.push(cluster.onSet(useLeaf));
      const keepYoung = (): void => {
        const stop = clock.after(LEAF_LOOK_MS, () => {
          ownLeaf()
            .then((leaf) => {
              if (leaf.chainPem === own.chainPem) return;
              own = leaf;
              useLeaf();
              log('note', 'server.leaf_renewed', {});
            })
            .catch((error: unknown) => log('error', 'server.leaf_failed', { error }))
            .finally(keepYoung);
        });
        closing.push(stop);
      };
      keepYoung();
      log('note', 'server.listening', { people: at.people, agents: at.agents });
    };

    // Before its socket: who reaches a server of a cluster finds all of it.
    if (cluster.record()) await openPorts();
    const socket = await listenOnSocket(paths.folder, uid, (request, response) => {
      arrivals.add(request);
      people.answer(request, response);
    });
    closing.push(async () => {
      await socket.close();
      await rm(paths.addressFile, { force: true });
    });
    at.socket = socket.path;
    await writeAddress();
    log('note', 'server.started', {
      socket: at.socket,
      state: paths.folder,
      database: store.database,
      isClaimed: cluster.record() !== null,
    });

    return {
      addresses: {
        get socket() {
          return at.socket;
        },
        get people() {
          return at.people;
        },
        get agents() {
          return at.agents;
        },
      },
      stopped: stopped.promise,
      close,
      async dialAgent(to) {
        const own = await certificates.ownLeaf(cluster.sets().cluster, serverName, names);
        const { socket: dialed, identity } = await dialAgent({
          to,
          own,
          expect: () => ({ ...expect(), name: to.name }),
          signal: AbortSignal.timeout(10_000),
        });
        links.serve(dialed, identity);
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function holdOf(folder: string) {
  try {
    return holdFolder(folder);
  } catch (error) {
    if (error instanceof StoreError && error.code === 'store.in_use')
      throw new StartError('state.in_use', error.message, { cause: error });
    throw error;
  }
}

function systemClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after(milliseconds, then) {
      const timer = setTimeout(then, milliseconds);
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
}

/** Under which hosts others find this server: what its owner says, else its name on the local network and its addresses. */
function reachableHosts(
  options: ServerOptions,
  machine: { readonly host: string; readonly addresses: readonly string[] },
): string[] {
  const isAny = options.host === undefined || options.host === '::' || options.host === '0.0.0.0';
  if (!isAny && options.host !== undefined) return [...(options.hostNames ?? []), options.host];
  const local = machine.host.includes('.') ? machine.host : `${machine.host}.local`;
  const addresses = machine.addresses.filter((address) => !address.startsWith('fe80:'));
  return [
    ...new Set([
      ...(options.hostNames ?? []),
      local,
      ...addresses,
      ...(addresses.length === 0 ? ['127.0.0.1'] : []),
    ]),
  ];
}
