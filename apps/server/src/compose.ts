import { rm, statfs } from 'node:fs/promises';
import { DEFAULTS, encodeBase32, type FromServer } from '@writ/contract';
import { openStore } from '@writ/store';
import type { PeerExpectation } from '@writ/trust/certificates';
import manifest from '../package.json' with { type: 'json' };
import { admitWith } from './admit.ts';
import { giveLeafWith } from './certificates/give-leaf.ts';
import { hostNames, serverNameOf } from './certificates/host-names.ts';
import { keepCertificates } from './certificates/keep-certificates.ts';
import { chooseDatabase } from './choose-database.ts';
import { type Closing, openClosing } from './closing.ts';
import { openCluster } from './cluster.ts';
import { readMachine } from './config/read-machine.ts';
import { statePaths } from './state-paths.ts';
import { openDispatch } from './dispatch/open-dispatch.ts';
import { openEnrolment } from './enrol/serve-enrolment.ts';
import { holdState } from './hold-state.ts';
import { keepFiles, removeOldUploads } from './files/keep-files.ts';
import { keepLease } from './config/kept-lease.ts';
import { keepLeases } from './lease/keep-leases.ts';
import { mindClockWith } from './mind-clock.ts';
import { openLinkApp } from './link/link-app.ts';
import { takeReceiptsWith } from './link/take-receipts.ts';
import { listenOnSocket } from './listen/listen-on-socket.ts';
import { dialAgent } from './listen/dial-agent.ts';
import { portsWith } from './listen/open-ports.ts';
import type { Log } from './log.ts';
import { keepLogs } from './logs/keep-logs.ts';
import { openMembers } from './members.ts';
import { openOrders } from './orders.ts';
import { openFollowers } from './people/followers.ts';
import { openPeopleApp } from './people/people-app.ts';
import type { PeopleParts } from './people/people-parts.ts';
import { everyHour } from './every-hour.ts';
import { openProgress } from './progress.ts';
import { reachableHosts, withPort } from './reachable-hosts.ts';
import { pruneWith } from './retention/prune.ts';
import { refuseWhenFullWith } from './refuse-when-full.ts';
import type { ListeningAt, RunningServer, ServerOptions } from './running-server.ts';
import { systemClock } from './system-clock.ts';
import { tidyHourly } from './tidy-hourly.ts';
import { writeAddress } from './write-address.ts';

/** An upload that nobody went on with for a day is not gone on with. */
const UPLOAD_REST_MS = 86_400_000;
const SILENCE_SECONDS = 60;

/** All wiring of the server: what is made here is closed here, in reverse. */
export async function composeServer(options: ServerOptions): Promise<RunningServer> {
  process.umask(0o077);
  const log: Log = options.log ?? (() => {});
  const closing = openClosing(log);
  try {
    return await openServer(options, log, closing);
  } catch (error) {
    await closing.close();
    throw error;
  }
}

async function openServer(options: ServerOptions, log: Log, closing: Closing): Promise<RunningServer> {
  const { silenceSeconds = SILENCE_SECONDS } = options;
  const clock = systemClock();
  const randomBytes = (size: number): Uint8Array => crypto.getRandomValues(new Uint8Array(size));
  const newId = (): string => encodeBase32(randomBytes(16));
  const uid = process.getuid?.() ?? 0;
  const machine = readMachine();
  const serverName = options.name ?? serverNameOf(machine.host);

  // What is on disk.
  const paths = statePaths(options.state);
  const hold = await holdState(paths.folder);
  closing.add(() => hold.release());
  const leaseSeconds = keepLease(paths.lease, options.leaseSeconds, DEFAULTS.leaseSeconds);
  const store = await openStore(chooseDatabase(options.database, paths));
  closing.add(() => store.close());
  const files = await keepFiles(paths.files, (digest) => log('error', 'file.damaged', { digest }));
  const logs = keepLogs(paths.logs);
  const refuseWhenFull = refuseWhenFullWith(
    () => clock.monotonic(),
    async () => {
      const { bavail, blocks, bsize } = await statfs(paths.folder);
      return { free: bavail * bsize, total: blocks * bsize, reusable: await store.reusableBytes() };
    },
    options.reserveBytes,
  );

  // What is known, and who may change it.
  const cluster = await openCluster(store);
  const certificates = await keepCertificates(paths, clock, randomBytes, cluster.record()?.cluster ?? null);
  closing.add(() => certificates.kept);
  const members = await openMembers(store, cluster);
  const orders = openOrders(store);
  const progress = openProgress();
  const counters = { orders: 0, receipts: 0 };
  const admit = admitWith(store, cluster, members);
  const giveLeaf = giveLeafWith({ store, clock, log, cluster, members, certificates });

  const stopping = new AbortController();
  const prune = pruneWith({ store, files, logs, orders, signal: stopping.signal });
  const tidying = await tidyHourly({
    clock,
    log,
    removeUploads: () => removeOldUploads(paths.files, clock.now() - UPLOAD_REST_MS),
    prune,
    signal: stopping.signal,
  });
  closing.add(async () => {
    stopping.abort();
    await tidying.close();
  });

  // Work, and the agents that take it. Nobody could renew while this server was away: every open lease begins again.
  const started = clock.now();
  await store.leases.renewAll(leaseSeconds, { actor: 'server', source: 'start', now: started });
  const dispatch = await openDispatch({ store, clock, log, leaseSeconds });
  closing.add(() => dispatch.close());
  const forgetting = everyHour(clock, () =>
    dispatch
      .forgetClasses()
      .catch((error: unknown) => log('error', 'dispatch.classes_not_forgotten', { error })),
  );
  closing.add(() => forgetting.close());
  const onReleased = (): void => {
    dispatch.lookAgain().catch((error: unknown) => log('error', 'dispatch.look_failed', { error }));
  };
  const mindClock = mindClockWith({ store, clock, log, leaseSeconds });
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
    mindClock,
    silenceMs: silenceSeconds * 1_000,
    serverName,
    version: manifest.version,
    takeReceipts: takeReceiptsWith({ store, cluster, orders, dispatch, logs, progress, log, counters }),
    renewCertificate: async (request, member, source) =>
      await giveLeaf(request, { identity: member.identity, source }),
    onReleased,
  });
  closing.add(() => links.close());
  const tellAgents = (message: FromServer): void => {
    for (const link of links.links().values()) link.send(message);
  };
  const keeper = keepLeases({
    store,
    clock,
    log,
    leaseSeconds,
    mindClock,
    onReleased: (tasks) => {
      for (const [identity, lost] of Map.groupBy(tasks, (task) => task.identity))
        links.links().get(identity)?.lose(lost);
      onReleased();
    },
  });
  closing.add(() => keeper.close());
  const enrolment = openEnrolment({ store, clock, log, cluster, admit, giveLeaf });
  closing.add(() => enrolment.close());
  closing.add(
    cluster.onSet(() => tellAgents({ is: 'set', set: cluster.newest() })),
    cluster.onFreshness((envelope) => tellAgents({ is: 'freshness', envelope })),
  );

  // People.
  const arrivals: PeopleParts['arrivals'] = new WeakSet();
  const reachableAt = (listening: ListeningAt | null): string[] =>
    listening ? reachableHosts(options, machine).map((host) => withPort(host, listening.port)) : [];
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
    claimed: () => ports.open(),
    addresses: () => ({ people: reachableAt(ports.at.people), agents: reachableAt(ports.at.agents) }),
    links: () => links.links(),
    linkProtocols: () => links.protocols(),
    tls: () => ports.tls(),
    cancel: (identity, tasks, how) => links.links().get(identity)?.cancel(tasks, how),
    withdraw: (envelope) => tellAgents({ is: 'withdraw', envelope }),
    refuseWhenFull,
    prune,
    describeApi: async () => await (await import('./people/describe-api.ts')).describeApi(parts),
    stop: () => void closing.close(),
  };
  const people = await openPeopleApp(parts);
  closing.add(() => people.close());
  await certificates.kept;

  // Where they connect.
  const names = hostNames(machine, [
    ...(options.host === undefined ? [] : [options.host]),
    ...(options.hostNames ?? []),
  ]);
  const ownLeaf = () => certificates.ownLeaf(cluster.sets().cluster, serverName, names);
  const expect = (): PeerExpectation => ({
    cluster: cluster.sets().cluster,
    roles: ['agent'],
    now: clock.now(),
    roots: cluster.roots(),
    issuing: [certificates.issuing],
    mayActNow: members.mayActNow,
  });
  let socketPath = '';
  const tellAddress = async (): Promise<void> => {
    if (socketPath === '') return;
    await writeAddress(paths.addressFile, {
      pid: process.pid,
      name: serverName,
      socket: socketPath,
      host: options.host ?? null,
      peoplePort: ports.at.people?.port ?? null,
      agentPort: ports.at.agents?.port ?? null,
    });
  };
  const ports = portsWith({
    clock,
    log,
    asked: options,
    listeningFile: paths.listeningFile,
    ownLeaf,
    expect,
    answer: people.answer,
    onLink: links.serve,
    onEnrol: enrolment.serve,
    onOpen: tellAddress,
  });
  closing.add(() => ports.close(), cluster.onSet(ports.useLeaf));

  // Before its socket: who reaches a server of a cluster finds all of it.
  if (cluster.record()) await ports.open();
  const socket = await listenOnSocket(paths.folder, uid, (request, response) => {
    arrivals.add(request);
    people.answer(request, response);
  });
  closing.add(async () => {
    await socket.close();
    await rm(paths.addressFile, { force: true });
  });
  socketPath = socket.path;
  await tellAddress();
  log('note', 'server.started', {
    socket: socketPath,
    state: paths.folder,
    database: store.database,
    isClaimed: cluster.record() !== null,
  });

  return {
    addresses: {
      get socket() {
        return socketPath;
      },
      get people() {
        return ports.at.people;
      },
      get agents() {
        return ports.at.agents;
      },
    },
    stopped: closing.closed,
    close: closing.close,
    async dialAgent(to) {
      const { socket: dialed, identity } = await dialAgent({
        to,
        own: await ownLeaf(),
        expect: () => ({ ...expect(), name: to.name }),
        signal: AbortSignal.timeout(10_000),
      });
      links.serve(dialed, identity);
    },
  };
}
