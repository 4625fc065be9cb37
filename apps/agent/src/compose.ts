import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import type { Envelope, FromAgent } from '@writ/contract';
import { holdFolder } from '@writ/store/hold-folder';
import { dialLink } from '@writ/trust/certificates';
import type { PeerExpectation } from '@writ/trust/certificates';
import { askServer } from './ask-server.ts';
import { attendRuns } from './attend-run.ts';
import { enrolLeaf } from './certificate/enrol-leaf.ts';
import { renewAlways } from './certificate/renew-leaf.ts';
import { openTlsStore } from './certificate/tls-store.ts';
import type { Clock } from './clock.ts';
import { addressOf } from './config/machine-file.ts';
import { openEnrolment } from './connect/enrol.ts';
import { keepLink } from './connect/keep-link.ts';
import { openLink } from './connect/link.ts';
import { listenForServer } from './connect/listen.ts';
import { describe } from './describe.ts';
import { openBlobCache } from './files/blob-cache.ts';
import { sendOutputs } from './files/send-outputs.ts';
import { followSigners } from './follow-signers.ts';
import { gatherEnds } from './gather-ends.ts';
import { openCredits } from './give-credits.ts';
import { greetServer } from './greet-server.ts';
import { handleJob, handleLease } from './handle-job.ts';
import type { Desk } from './handle-job.ts';
import { hearServer } from './hear-server.ts';
import { holdTasks } from './hold-tasks.ts';
import type { Isolation } from './isolate/isolation.ts';
import { openIsolation } from './isolate/open-isolation.ts';
import { faultOfOutputs, readOutputs } from './isolate/read-outputs.ts';
import { openJobApi } from './job-api/open-job-api.ts';
import { keepTryingWith } from './keep-trying.ts';
import { openKnownOrders } from './known-orders.ts';
import { openLeaseBook } from './lease-book.ts';
import type { LeasedJob } from './leased-job.ts';
import { openLeaving } from './leave-work.ts';
import { openLiveJobs } from './live-job.ts';
import { openLog, reasonOf } from './log.ts';
import type { Log } from './log.ts';
import { machineFacts, offersOf } from './machine-facts.ts';
import { measureSpeed } from './measure/measure-speed.ts';
import { readMachine } from './measure/read-machine.ts';
import type { MachineMeasured } from './measure/read-machine.ts';
import { watchSpeed } from './measure/watch-speed.ts';
import { readMembership } from './membership.ts';
import { openOrderPace } from './order-pace.ts';
import { reachServer } from './reach-server.ts';
import { openReceiptChain } from './receipts/receipt-chain.ts';
import { openReceiptSender } from './receipts/send-receipts.ts';
import { recoverSuccesses } from './recover-successes.ts';
import { openReplay } from './replay/open-replay.ts';
import { openReporting } from './report-job.ts';
import { revokeWorkWith } from './revoke-work.ts';
import { openShares } from './shares.ts';
import { openSigners } from './signers/held-signers.ts';
import { openWithdrawals } from './signers/withdrawals.ts';
import { openSlotQueue } from './slot-queue.ts';
import { placesOf } from './state-folder.ts';
import { systemClock } from './system-clock.ts';
import type { Judge } from './verify-job.ts';

export interface Given {
  /** The agent's folder, as this program sees it. */
  readonly folder: string;
  readonly isolation: Isolation;
  readonly network: AgentNetwork;
  readonly machine: MachineMeasured;
  readonly measureSpeed: typeof measureSpeed;
  /** After so long without a word the server is taken for gone. */
  readonly silenceMs: number;
  readonly clock: Clock;
  /** Between 0 and 1: spreads renewals and reconnects. */
  readonly random: () => number;
  readonly log: Log;
  /** A file of receipts that is longer is followed by the next one. */
  readonly receiptSegmentBytes?: number;
}

/** Everything by which this program reaches another one. */
export interface AgentNetwork {
  readonly dialLink: typeof dialLink;
  readonly openLink: typeof openLink;
  readonly openEnrolment: typeof openEnrolment;
  readonly listenForServer: typeof listenForServer;
}

export interface RunningAgent {
  readonly name: string;
  readonly identity: string;
  /** Where a server may dial this agent; null: nowhere. */
  readonly port: number | null;
  /** Resolves when the agent has ended, by itself or closed. */
  readonly over: Promise<void>;
  close(): Promise<void>;
}

const LOOK_MS = 25;
/** A server says something every fifteen seconds. */
const SILENCE_MS = 60_000;
const MOST_OUTPUTS = 10_000;

/** Opens every part, passes each what it needs, and says who is told what. Who opens closes, in the opposite order. */
export async function compose(given: Given): Promise<RunningAgent> {
  const { folder, isolation, network, machine, clock, random, log } = given;
  const places = placesOf(folder);
  const now = (): number => clock.now();
  const stop = new AbortController();
  const { signal } = stop;

  // Who this agent is, and what it has recorded.
  const membership = await readMembership(folder, machine.machineId);
  const { machineFile, identity } = membership;
  const { cluster } = machineFile;
  const signers = await openSigners(places.signers, cluster, now, log);
  const admitted = membership.judge(signers.sets);
  const leases = openLeaseBook();
  const inHand: Desk['inHand'] = new Map();
  const leaving = openLeaving({
    tasks: () => leases.tasks,
    holding: () => holding,
    inHand,
    clock,
    signal,
    log,
  });
  const replay = await openReplay({
    path: places.replay,
    bootId: machine.bootId,
    now,
    onLost: leaving.loseRecord,
  });
  replay.witness(signers.newestWord);
  const receipts = await openReceiptChain({
    folder: places.receipts,
    cluster,
    admission: admitted.digest,
    identity,
    beforeRemoval: () => replay.sync(),
    onLost: leaving.loseRecord,
    segmentBytes: given.receiptSegmentBytes,
  });
  recoverSuccesses(receipts.found, replay);
  const withdrawals = await openWithdrawals({
    path: places.withdrawals,
    sets: () => signers.sets,
    now,
    onKept: () => revoked.endWithdrawn(),
    log,
  });

  // The way to the server.
  const roots = (): Uint8Array[] => signers.sets.current.authorities.map((der) => Buffer.from(der, 'base64'));
  const expectServer = (): PeerExpectation => ({
    cluster,
    roles: ['server'],
    now: now(),
    roots: roots(),
    issuing: tls.leaf?.issuing ?? [],
    mayActNow: () => true,
  });
  const tls = await openTlsStore({
    folder: places.tls,
    cluster,
    name: () => admitted.name,
    identity,
    roots,
  });
  const reach = reachServer({
    servers: machineFile.servers.map(addressOf),
    heldLeaf: () => tls.leaf,
    isAsking: () => tls.isAsking,
    enrol: (to, limit) =>
      enrolLeaf({
        open: () => network.openEnrolment(to, limit),
        expect: expectServer,
        store: tls,
        clock,
        log,
      }),
    expectServer,
    dialLink: network.dialLink,
    clock,
  });
  const sender = openReceiptSender(receipts);
  const keeper = keepLink({
    dial: reach.dial,
    open: network.openLink,
    onOpen: (link) => {
      orders.forgetTaken();
      leases.forgetQuestions();
      const held = [...leases.tasks];
      link.send(
        greetServer({
          description: describeNow(),
          set: signers.ref,
          credits: credits.restart(),
          leases,
          receipts,
        }),
      );
      if (held.length > 0) leases.ask(held, clock.monotonic());
      sender.use(link);
      log('link.opened');
      speed.measureFirst();
    },
    onMessage: (link, message) => hear(link, message),
    onOver: (reason) => {
      sender.use(null);
      log('link.over', { why: reason?.message ?? 'closed here' });
    },
    silenceMs: given.silenceMs,
    clock,
    random,
    log,
  });
  const isLinked = (): boolean => keeper.link !== undefined;
  const send = (message: FromAgent): void => keeper.link?.send(message);
  const asking = askServer(() => keeper.link);
  const whileMine = keepTryingWith({ clock, signal, isLinked, linked: () => keeper.linked });

  // What this machine is.
  const offers = offersOf(isolation.offers, machineFile);
  if (offers.length === 0)
    log('agent.offers_nothing', {
      why: 'no profile was measured that the owner offers: this agent takes no jobs. On Debian: apt-get install bubblewrap; elsewhere offer “bare” in machine.json.',
    });
  const facts = machineFacts({ machine, machineFile, admitted, offers });
  const slots = Math.min(machineFile.slots, isolation.slots);
  const speed = watchSpeed({
    measure: given.measureSpeed,
    signal,
    since: clock.monotonic(),
    onFaster: () => send({ is: 'description', description: describeNow() }),
    log,
  });
  const describeNow = (): Envelope =>
    describe({
      cluster,
      identity,
      now: now(),
      node: process.version,
      machine,
      slots,
      counters: facts.counters,
      megaflops: speed.megaflops,
      offers,
      labels: machineFile.labels,
    });

  // The work that is here.
  const orders = openKnownOrders();
  const pace = openOrderPace();
  const shares = openShares(facts);
  const live = openLiveJobs({
    monotonic: () => clock.monotonic(),
    send,
    sendLog: (path, offset, size, stream) => asking.sendLog(path, offset, { stream, size }),
    isLinked,
    log,
  });
  const queue = openSlotQueue<LeasedJob>({
    slots: Math.max(1, slots),
    kind: (job) => job.task.order,
    reserve: (job) => shares.reserve(job.verified.order.limits),
    depth: (job) => (pace.isQuick(job.task.order) ? isolation.runsPerSlot : 1),
    run: async (job, slot, free) => {
      try {
        await handleJob(job, slot, free, desk);
      } catch (error) {
        log('task.failed_here', { task: `${job.task.job}.${job.task.index}`, why: reasonOf(error) });
        leases.drop(job.task);
      } finally {
        live.remove(job);
        credits.give();
      }
    },
  });
  const credits = openCredits({
    slots,
    held: () => leases.size,
    mayGive: () => isLinked() && !leaving.isLeaving && !signal.aborted && offers.length > 0,
    send: (more) => send({ is: 'credits', more }),
  });
  const holding = holdTasks({
    leases,
    queue,
    replay,
    receipts,
    running: () => live.jobs,
    cancel: (started, how) => isolation.cancel(started, how),
    isLinked,
    send,
    onFewer: () => credits.give(),
    log,
  });
  const revoked = revokeWorkWith({ live, holding, withdrawals, sets: () => signers.sets });
  const following = followSigners({
    signers,
    fetchSets: (after) => asking.fetchSets(after),
    witness: (time) => replay.witness(time),
    onFollowed: () => revoked.endCompromised(),
    judgeOwn: () => membership.judge(signers.sets),
    tellSet: (set) => send({ is: 'set', set }),
    log,
  });
  const cache = await openBlobCache({
    folder: isolation.cacheFolder,
    mostBytes: machineFile.cacheBytes,
    now,
    // Tasks of one order share their list.
    needed: () => Array.from(new Set([...queue.jobs, ...live.notBegun].map((job) => job.inputs))).flat(),
    fetch: (digest) => asking.fetchFile(digest),
  });
  const jobApi = await openJobApi({
    folder: `${isolation.cacheFolder}/job-api`,
    slots: Math.max(1, slots),
    sets: isolation.runsPerSlot,
    monotonic: () => clock.monotonic(),
    onFault: (error) => log('job_api.not_listening', { why: reasonOf(error) }),
  });
  const attending = attendRuns({
    live,
    jobApi,
    pace,
    credits,
    isWithdrawn: revoked.isWithdrawn,
    cancel: (started, how) => isolation.cancel(started, how),
  });
  const report = openReporting({
    receipts,
    replay,
    now,
    set: () => signers.ref,
    gathered: gatherEnds(clock, signal, () => queue.waiting > 0),
    onDurable: (receipt) => sender.durable(receipt),
    tailsOf: (job) => live.tailsOf(job),
    begunTailsOf: (job) => live.begunTailsOf(job),
    whileMine,
    sendOutputs: (job, tar) =>
      sendOutputs({
        folder: `${places.outputs}/${job.task.job}.${job.task.index}.${job.task.attempt}`,
        found: readOutputs(tar, {
          patterns: job.verified.order.outputs.patterns,
          inputs: new Set(job.inputs.map((file) => file.path)),
          maxBytes: job.verified.order.limits.outputBytes,
          maxFiles: MOST_OUTPUTS,
        }),
        send: (digest, size, open) =>
          whileMine(job, () => asking.sendFile(digest, job.task, { stream: open(), size })),
      }),
    faultOfOutputs,
    log,
  });

  // The story of a job.
  const judge = (): Judge => ({
    identity: identity.key,
    sets: signers.sets,
    newestWord: signers.newestWord,
    machine: facts,
    owner: { is: machineFile.policy },
    now: replay.now(),
    purgedUpTo: replay.mark,
    witnessed: replay.witnessed,
    isWithdrawn: (order, index, person) => withdrawals.holds(order, index, person),
  });
  const desk: Desk = {
    leases,
    replay,
    report,
    log,
    judge,
    monotonic: () => clock.monotonic(),
    orderOf: (digest) => orders.find(digest),
    verifiedOf: (digest) => orders.findVerified(digest),
    keepVerified: (found) => {
      if (orders.keepVerified(found)) following.heardOrder(found);
    },
    catchUp: following.catchUp,
    bringInputs: async ({ variant }) => {
      const { inputs } = variant.variant.command;
      return inputs.is === 'list' && inputs.files.length === 0 ? [] : cache.bring(inputs);
    },
    queue: (job) => {
      if (leaving.isLeaving) void holding.giveBack([job]);
      else queue.add(job);
    },
    giveBack: (job) => holding.giveBack([job]),
    inHand,
    stopLost: (task) => holding.stopHeld(task, 'lost', 'kill'),
    isolate: (run, mayStart) => isolation.start(run, () => leaving.lost === undefined && mayStart()),
    onRunning: attending.onRunning,
    onEnded: attending.onEnded,
  };
  const hear = hearServer({
    orders,
    leases,
    holding,
    credits,
    receipts,
    withdrawals,
    onLease: (message, since) => {
      speed.isBusy();
      return handleLease(message, since, desk);
    },
    monotonic: () => clock.monotonic(),
    wait: (milliseconds) => clock.wait(milliseconds),
    onSetNamed: following.heardOf,
    onFreshness: following.heardFreshness,
    log,
  });

  let listener: Awaited<ReturnType<typeof listenForServer>> | undefined;
  const over = run();
  return {
    name: admitted.name,
    identity: identity.key,
    get port() {
      return listener?.port ?? null;
    },
    over,
    async close() {
      await leaving.leave();
      stop.abort();
      // Why it ended is for whoever looks at how it ended.
      await over.catch(() => undefined);
    },
  };

  /** Everything that goes on at the same time, until told to stop or the launcher is gone. */
  async function run(): Promise<void> {
    // What a kill left there belongs to attempts that are over.
    await rm(places.outputs, { recursive: true, force: true });
    await mkdir(places.outputs, { recursive: true, mode: 0o700 });
    const gone = isolation.lost.then(async () => {
      if (signal.aborted) return;
      log('agent.launcher_lost', { why: 'the launcher is gone, and every job with it' });
      await leaving.leaveUnstarted();
      stop.abort();
    });
    void leaving.afterLoss().finally(() => stop.abort());
    try {
      if (machineFile.listen) await listen(machineFile.listen);
      await Promise.all([
        keepLooking(),
        machineFile.servers.length > 0 ? keeper.dialAlways(signal) : undefined,
        renewAlways(
          {
            store: tls,
            ask: (request) => asking.renewLeaf(request),
            onRenewed: (leaf) => listener?.use(leaf.own),
            clock,
            random,
            log,
          },
          signal,
        ),
        signal.aborted ? undefined : once(signal, 'abort'),
      ]);
    } finally {
      stop.abort();
      await listener?.close();
      keeper.link?.close();
      for (const task of Array.from(leases.tasks)) leases.drop(task);
      await isolation.close();
      await gone;
      await jobApi.close();
      await receipts.close();
      await replay.close();
      log('agent.stopped');
    }
    if (leaving.lost) throw leaving.lost;
  }

  async function listen(where: { host: string; port: number }): Promise<void> {
    const leaf = await reach.currentLeaf(signal);
    listener = await network.listenForServer({
      ...where,
      own: leaf.own,
      expect: expectServer,
      onSocket: (socket) => keeper.take(socket),
      log,
    });
    log('agent.listens', { port: listener.port });
  }

  /** Forty times a second: what is due by time alone. */
  async function keepLooking(): Promise<void> {
    while (!signal.aborted) {
      await clock.wait(LOOK_MS, signal);
      if (signal.aborted) return;
      const at = clock.monotonic();
      if (leases.size === 0 && receipts.pendingCount === 0) {
        speed.lookIdle(at);
        continue;
      }
      holding.look(at);
      live.look();
      jobApi.look();
    }
  }
}

export interface StartOptions {
  /** The agent's folder, as this program sees it. */
  readonly folder: string;
  /** The descriptor of the socket to the launcher. */
  readonly descriptor: number;
  /** Where jobs' files lie, as this program sees it; by default below the folder. */
  readonly slotsFolder?: string;
  readonly cacheFolder?: string;
  /** Where lines of the log go. */
  readonly writeLog: (line: string) => void;
}

/** Starts an agent whose launcher is at the other end of the descriptor. It ends when its launcher does. */
export async function start(options: StartOptions): Promise<RunningAgent> {
  const hold = holdFolder(options.folder);
  try {
    const clock = systemClock();
    const log = openLog(options.writeLog, clock.now);
    const isolation = await openIsolation({
      descriptor: options.descriptor,
      slotsFolder: options.slotsFolder ?? `${options.folder}/slots`,
      cacheFolder: options.cacheFolder ?? `${options.folder}/cache`,
    });
    try {
      const agent = await compose({
        folder: options.folder,
        isolation,
        network: { dialLink, openLink, openEnrolment, listenForServer },
        machine: readMachine(),
        measureSpeed,
        silenceMs: SILENCE_MS,
        clock,
        random: Math.random,
        log,
      });
      log('agent.started', { name: agent.name, identity: agent.identity });
      return { ...agent, port: agent.port, over: agent.over.finally(() => hold.release()) };
    } catch (error) {
      await isolation.close();
      throw error;
    }
  } catch (error) {
    hold.release();
    throw error;
  }
}
