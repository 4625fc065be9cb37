import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { BOUNDS, LINK_VERSION, orderCheck, PAYLOAD_TYPES } from '@writ/contract';
import type { Envelope, LeasedTask } from '@writ/contract';
import { holdFolder } from '@writ/store/hold-folder';
import { findKey, judgeAdmission, namesNewerSet, readUnverified } from '@writ/trust';
import type { MachineFacts } from '@writ/trust';
import { dialLink } from '@writ/trust/certificates';
import type { PeerExpectation } from '@writ/trust/certificates';
import { AgentError } from './agent-error.ts';
import { askServer } from './ask-server.ts';
import { enrolLeaf } from './certificate/enrol-leaf.ts';
import { renewAlways } from './certificate/renew-leaf.ts';
import { openTlsStore } from './certificate/tls-store.ts';
import type { Clock } from './clock.ts';
import { addressOf, readMachineFile } from './config/machine-file.ts';
import { openEnrolment } from './connect/enrol.ts';
import { keepLink } from './connect/keep-link.ts';
import { openLink } from './connect/link.ts';
import type { Link } from './connect/link.ts';
import { listenForServer } from './connect/listen.ts';
import { describe, WRIT } from './describe.ts';
import { openBlobCache } from './files/blob-cache.ts';
import { sendOutputs } from './files/send-outputs.ts';
import { gatherEnds } from './gather-ends.ts';
import { openCredits } from './give-credits.ts';
import { handleJob, handleLease } from './handle-job.ts';
import type { Desk } from './handle-job.ts';
import { hearServer } from './hear-server.ts';
import { holdTasks } from './hold-tasks.ts';
import { IsolateError } from './isolate/isolation.ts';
import type { Isolation } from './isolate/isolation.ts';
import { openIsolation } from './isolate/open-isolation.ts';
import { readOutputs } from './isolate/read-outputs.ts';
import { openJobApi } from './job-api/open-job-api.ts';
import { whyNotOutput } from './judge-output.ts';
import { openLeaseBook, plainTask } from './lease-book.ts';
import type { LeasedJob } from './leased-job.ts';
import { openLiveJobs } from './live-job.ts';
import { openLog, reasonOf } from './log.ts';
import type { Log } from './log.ts';
import { measureSpeed } from './measure/measure-speed.ts';
import { readMachine } from './measure/read-machine.ts';
import type { MachineMeasured } from './measure/read-machine.ts';
import { reachServer } from './reach-server.ts';
import { openReceiptChain } from './receipts/receipt-chain.ts';
import { openReceiptSender } from './receipts/send-receipts.ts';
import { recoverSuccesses } from './recover-successes.ts';
import { openReplay } from './replay/open-replay.ts';
import { openReporting } from './report-job.ts';
import { openSigners } from './signers/held-signers.ts';
import { openWithdrawals } from './signers/withdrawals.ts';
import { openShares } from './shares.ts';
import { openSlotQueue } from './slot-queue.ts';
import { placesOf, readAdmission, readIdentity } from './state-folder.ts';
import { systemClock } from './system-clock.ts';
import type { Judge, VerifiedOrder } from './verify-job.ts';

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

const TICK = 25;
const MOST_ORDERS = 10_000;
const MOST_HELD = 8_192;
const IDLE_BEFORE_MEASURE = 30_000;
const QUICK = 40;
/** A server says something every fifteen seconds. */
const SILENCE_MS = 60_000;
/** How long it may take until what ran here has ended and the server knows. */
const MOST_LEAVING = 3_000;

/** Opens every part, passes each what it needs, and says who is told what. Who opens closes, in the opposite order. */
export async function compose(given: Given): Promise<RunningAgent> {
  const { folder, isolation, network, machine, clock, random, log } = given;
  const places = placesOf(folder);
  const machineFile = await readMachineFile(folder);
  if (machineFile.machineId !== machine.machineId)
    throw new AgentError(
      'agent.moved',
      `${folder} was made on another machine: a copy does not start. Remove the folder and join this machine by itself: writ join.`,
    );
  const identity = await readIdentity(folder);
  if (!identity)
    throw new AgentError(
      'agent.state_missing',
      `${places.identity} is not there. Join a cluster first: writ join.`,
    );
  const stop = new AbortController();
  let isLeaving = false;
  let lost: AgentError | undefined;
  const losing = Promise.withResolvers<void>();
  const now = (): number => clock.now();

  const signers = await openSigners(places.signers, machineFile.cluster, now, log);
  const paper = await readAdmission(folder);
  const admitted = judgeAdmission(paper.admission, paper.invite, signers.sets);
  if (admitted.identity !== identity.key)
    throw new AgentError(
      'agent.state_damaged',
      `${places.admission} admits another identity key than the one in ${places.identity}. Join again.`,
    );
  const replay = await openReplay({ path: places.replay, bootId: machine.bootId, now, onLost: endLost });
  replay.witness(signers.newestWord);
  const receipts = await openReceiptChain({
    folder: places.receipts,
    cluster: machineFile.cluster,
    admission: admitted.digest,
    identity,
    beforeRemoval: () => replay.sync(),
    onLost: endLost,
    segmentBytes: given.receiptSegmentBytes,
  });
  recoverSuccesses(receipts.found, replay);
  const withdrawals = await openWithdrawals({
    path: places.withdrawals,
    sets: () => signers.sets,
    now,
    onKept: () => endWithdrawn(),
    log,
  });

  const roots = (): Uint8Array[] =>
    signers.sets.newest.set.authorities.map((der) => Buffer.from(der, 'base64'));
  const issuing = (): readonly Uint8Array[] => tls.leaf?.issuing ?? [];
  const expectServer = (): PeerExpectation => ({
    cluster: machineFile.cluster,
    roles: ['server'],
    now: now(),
    roots: roots(),
    issuing: issuing(),
    mayActNow: () => true,
  });
  const tls = await openTlsStore({
    folder: places.tls,
    cluster: machineFile.cluster,
    name: () => admitted.name,
    identity,
    roots,
  });

  const reach = reachServer({
    servers: machineFile.servers.map(addressOf),
    heldLeaf: () => tls.leaf,
    isAsking: () => tls.isAsking,
    enrol: (to, signal) =>
      enrolLeaf({
        open: () => network.openEnrolment(to, signal),
        expect: expectServer,
        store: tls,
        clock,
        log,
      }),
    expectServer,
    dialLink: network.dialLink,
    clock,
  });

  // What this machine is; orders are compared with these and nothing else.
  const offers = isolation.offers.filter(
    (offer) => offer.measured && machineFile.profiles.includes(offer.profile),
  );
  const strictness = ['strict', 'user', 'bare'];
  const facts: MachineFacts = {
    os: machine.os,
    arch: machine.arch,
    host: machine.host,
    cores: machine.cores,
    memoryBytes: machine.memoryBytes,
    counters: machineFile.counters ?? [],
    admitted,
    profiles: offers
      .toSorted((a, b) => strictness.indexOf(a.profile) - strictness.indexOf(b.profile))
      .map(({ profile, network }) => ({
        profile,
        network: network === 'asked' && machineFile.network === 'asked',
      })),
  };
  if (offers.length === 0)
    log('agent.offers_nothing', {
      why: 'no profile was measured that the owner offers: this agent takes no jobs. On Debian: apt-get install bubblewrap; elsewhere offer “bare” in machine.json.',
    });
  let megaflops = 0;
  const slots = Math.min(machineFile.slots, isolation.slots);
  const describeNow = (): Envelope =>
    describe({
      cluster: machineFile.cluster,
      identity,
      now: now(),
      node: process.version,
      machine,
      slots,
      counters: facts.counters,
      megaflops,
      offers,
      labels: machineFile.labels,
    });

  // Orders as they came, and what they came to under the present set.
  const orders = new Map<string, Envelope>();
  const verified = new Map<string, VerifiedOrder>();
  const pace = new Map<string, number>();
  const leases = openLeaseBook();
  const sender = openReceiptSender(receipts);
  let idleSince = clock.monotonic();
  let isMeasured = false;
  let isMeasuredIdle = false;
  let linked = Promise.withResolvers<void>();

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

  const keeper = keepLink({
    dial: reach.dial,
    open: network.openLink,
    onOpen,
    onMessage: (link, message) => hear(link, message),
    onOver,
    silenceMs: given.silenceMs,
    clock,
    random,
    log,
  });
  const asking = askServer(() => keeper.link);

  const live = openLiveJobs({
    monotonic: () => clock.monotonic(),
    send: (message) => keeper.link?.send(message),
    sendLog: (path, offset, size, stream) => asking.sendLog(path, offset, { stream, size }),
    isLinked: () => keeper.link !== undefined,
    log,
  });

  const report = openReporting({
    receipts,
    replay,
    now,
    set: () => signers.ref,
    gathered: gatherEnds(clock, stop.signal, () => queue.waiting > 0),
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
          maxFiles: 10_000,
        }),
        send: (digest, size, open) =>
          whileMine(job, () => asking.sendFile(digest, job.task, { stream: open(), size })),
      }),
    faultOfOutputs,
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
  const endSpeech = (job: LeasedJob): void => {
    if (!job.running) return;
    const { named, quiet } = jobApi.end(job.running);
    job.named = named;
    job.running.holdBack(quiet);
  };

  const shares = openShares(facts);
  const queue = openSlotQueue<LeasedJob>({
    slots: Math.max(1, slots),
    kind: (job) => job.task.order,
    reserve: (job) => shares.reserve(job.verified.order.limits),
    depth: (job) =>
      (pace.get(job.task.order) ?? Number.POSITIVE_INFINITY) < QUICK ? isolation.runsPerSlot : 1,
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
    mayGive: () => keeper.link !== undefined && !isLeaving && !stop.signal.aborted && offers.length > 0,
    send: (more) => keeper.link?.send({ is: 'credits', more }),
  });

  const holding = holdTasks({
    leases,
    queue,
    replay,
    running: () => live.jobs,
    cancel: (started, how) => isolation.cancel(started, how),
    isLinked: () => keeper.link !== undefined,
    send: (message) => keeper.link?.send(message),
    onFewer: () => credits.give(),
    log,
  });

  const desk: Desk = {
    leases,
    replay,
    report,
    log,
    judge,
    monotonic: () => clock.monotonic(),
    orderOf: (digest) => orders.get(digest),
    verifiedOf: (digest) => verified.get(digest),
    keepVerified: (found) => {
      if (verified.get(found.digest) === found) return;
      if (verified.size >= MOST_ORDERS) verified.clear();
      if (pace.size >= MOST_ORDERS) pace.clear();
      verified.set(found.digest, found);
      signers.takeWord(found);
      replay.witness(Math.max(found.order.issued, signers.newestWord));
    },
    catchUp: async (envelope) => {
      const named = envelope && nameOfSet(envelope);
      if (!named || !namesNewerSet(named, signers.sets)) return;
      // Without them the order is refused by its own check.
      await fetchSets().catch((error: unknown) => log('signers.not_fetched', { why: reasonOf(error) }));
    },
    bringInputs: async ({ variant }) => {
      const { inputs } = variant.variant.command;
      return inputs.is === 'list' && inputs.files.length === 0 ? [] : cache.bring(inputs);
    },
    queue: (job) => {
      if (isLeaving) void holding.giveBack([job]);
      else queue.add(job);
    },
    giveBack: (job) => holding.giveBack([job]),
    inHand: new Map(),
    stopLost: (task) => holding.stopHeld(task, 'lost', 'kill'),
    isolate: (run, mayStart) => isolation.start(run, () => lost === undefined && mayStart()),
    onRunning: (job) => {
      live.add(job);
      // It may have been withdrawn while the launcher took it.
      if (isWithdrawn(job)) job.stop ??= 'cancelled';
      if (job.running)
        jobApi.begin(job.running, {
          onProgress: (said) => live.tell(job, said),
          whyNotOutput: (path) => whyNotOutput(job, path),
        });
      if (job.stop && job.running) isolation.cancel(job.running, 'kill');
    },
    onEnded: (job, end) => {
      const wall = end.endedMs - end.startedMs;
      const before = pace.get(job.task.order);
      pace.set(job.task.order, before === undefined ? wall : before * 0.8 + wall * 0.2);
      credits.pace(wall < QUICK);
      live.remove(job);
      endSpeech(job);
    },
  };

  const hear = hearServer({
    orders,
    leases,
    holding,
    credits,
    receipts,
    withdrawals,
    onLease: (message) => {
      idleSince = Number.POSITIVE_INFINITY;
      return handleLease(message, desk);
    },
    onSetNamed: async (set) => {
      if (namesNewerSet(set, signers.sets)) await fetchSets();
    },
    onFreshness: async (envelope) => {
      await signers.takeFreshness(envelope);
      replay.witness(signers.newestWord);
    },
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
      await leaveWork();
      stop.abort();
      // Why it ended is for whoever looks at how it ended.
      await over.catch(() => undefined);
    },
  };

  /** What had not started is others' at once, and no attempt of it is used up. */
  async function leaveUnstarted(): Promise<void> {
    isLeaving = true;
    await holding.handBack(Array.from(leases.tasks));
    // Written with the end of this turn. For longer the server would lease to it again.
    await clock.wait(1, stop.signal);
  }

  /** Given up while the server can still be told: others take it at once, and no task ends as if its job had failed. */
  async function leaveWork(): Promise<void> {
    isLeaving = true;
    await holding.handBack(Array.from(leases.tasks));
    await stopWork();
  }

  async function stopWork(): Promise<void> {
    for (const task of Array.from(leases.tasks)) holding.stopHeld(task, 'lost', 'kill');
    await Promise.race([Promise.all(desk.inHand.values()), clock.wait(MOST_LEAVING, stop.signal)]);
  }

  /** What the disk did not take cannot be promised, and nothing more is: whatever runs is ended here, and others take it. */
  function endLost(error: AgentError): void {
    lost ??= error;
    isLeaving = true;
    log('agent.record_lost', { code: error.code, why: error.message });
    losing.resolve();
  }

  function isWithdrawn({ task, verified }: LeasedJob): boolean {
    return withdrawals.holds(verified.digest, task.index, verified.order.person);
  }

  /** What the launcher has taken starts by itself when the run before it ends: no other look comes before that. */
  function endWithdrawn(): void {
    for (const job of live.notBegun)
      if (isWithdrawn(job)) holding.stopHeld(job.task, 'cancelled', 'terminate');
  }

  /** Everything that goes on at the same time, until told to stop or the launcher is gone. */
  async function run(): Promise<void> {
    // What a kill left there belongs to attempts that are over.
    await rm(places.outputs, { recursive: true, force: true });
    await mkdir(places.outputs, { recursive: true, mode: 0o700 });
    const gone = isolation.lost.then(async () => {
      if (stop.signal.aborted) return;
      log('agent.launcher_lost', { why: 'the launcher is gone, and every job with it' });
      await leaveUnstarted();
      stop.abort();
    });
    void losing.promise.then(stopWork).finally(() => stop.abort());
    try {
      if (machineFile.listen) await listen(machineFile.listen);
      await Promise.all([
        keepTicking(),
        machineFile.servers.length > 0 ? keeper.dialAlways(stop.signal) : undefined,
        renewAlways(
          {
            store: tls,
            ask: (request) => asking.renewLeaf(request),
            onRenewed: (leaf) => listener?.use(leaf.own),
            clock,
            random,
            log,
          },
          stop.signal,
        ),
        stop.signal.aborted ? undefined : once(stop.signal, 'abort'),
      ]);
    } finally {
      stop.abort();
      await listener?.close();
      keeper.link?.close();
      linked.resolve();
      for (const task of Array.from(leases.tasks)) leases.drop(task);
      await isolation.close();
      await gone;
      await jobApi.close();
      await receipts.close();
      await replay.close();
      log('agent.stopped');
    }
    if (lost) throw lost;
  }

  async function listen(where: { host: string; port: number }): Promise<void> {
    const leaf = await reach.currentLeaf(stop.signal);
    listener = await network.listenForServer({
      ...where,
      own: leaf.own,
      expect: expectServer,
      onSocket: (socket) => keeper.take(socket),
      log,
    });
    log('agent.listens', { port: listener.port });
  }

  function onOpen(link: Link): void {
    orders.clear();
    leases.forgetQuestions();
    const held = [...leases.tasks];
    link.send({
      is: 'hello',
      link: LINK_VERSION,
      writ: WRIT,
      description: describeNow(),
      set: signers.ref,
      seq: receipts.seq,
      credits: credits.restart(),
      held: held
        .map((task) => ({
          ...plainTask(task),
          is: task.isRunning ? ('running' as const) : ('leased' as const),
        }))
        .concat(reportedTasks().map((task) => ({ ...task, is: 'running' as const })))
        .slice(0, MOST_HELD),
    });
    if (held.length > 0) leases.ask(held, clock.monotonic());
    sender.use(link);
    linked.resolve();
    log('link.opened');
    if (isMeasured) return;
    isMeasured = true;
    measure();
  }

  /** Ended here, and the server has not heard of it: their leases must last until their receipts, which come next, are read. */
  function reportedTasks(): LeasedTask[] {
    const newest = new Map(
      Array.from(receipts.pending, ({ task }) => [`${task.job}.${task.index}`, task] as const),
    );
    return [...newest.values()].filter((task) => !leases.find(task));
  }

  function onOver(reason: Error | undefined): void {
    sender.use(null);
    linked = Promise.withResolvers<void>();
    log('link.over', { why: reason?.message ?? 'closed here' });
  }

  async function keepTicking(): Promise<void> {
    while (!stop.signal.aborted) {
      await clock.wait(TICK, stop.signal);
      if (!stop.signal.aborted) tick();
    }
  }

  /** Called forty times a second: what is due by time alone. */
  function tick(): void {
    const at = clock.monotonic();
    if (leases.size === 0) return lookIdle(at);
    holding.look(at);
    live.look();
    jobApi.look();
  }

  /** Once, when nothing has run for a while: the measure at the start may have shared the machine with others. */
  function lookIdle(at: number): void {
    if (idleSince === Number.POSITIVE_INFINITY) idleSince = at;
    if (isMeasuredIdle || at - idleSince < IDLE_BEFORE_MEASURE) return;
    isMeasuredIdle = true;
    measure();
  }

  /** Jobs need not wait for it: a description may be sent again. */
  function measure(): void {
    given
      .measureSpeed(stop.signal)
      .then((measured) => {
        if (stop.signal.aborted || measured <= megaflops) return;
        megaflops = measured;
        keeper.link?.send({ is: 'description', description: describeNow() });
      })
      .catch((error: unknown) => log('measure.failed', { why: reasonOf(error) }));
  }

  async function fetchSets(): Promise<void> {
    const answer = await asking.fetchSets(signers.ref.version);
    await signers.follow(answer.sets);
    // Whoever declared a key compromised said whether what runs under it may finish: nothing that fails may come before.
    for (const job of Array.from(live.jobs)) {
      const ended = findKey(signers.sets.newest.set, job.verified.order.key)?.entry.ended;
      if (ended?.is === 'compromised' && ended.running === 'stop')
        holding.stop(job.task, 'cancelled', 'kill');
    }
    if (answer.freshness) await signers.takeFreshness(answer.freshness);
    replay.witness(Math.max(signers.sets.newest.set.time, signers.newestWord));
    judgeAdmission(paper.admission, paper.invite, signers.sets);
    keeper.link?.send({ is: 'set', set: signers.ref });
  }

  /** Tries until it succeeds; a lost link is waited for as long as the lease holds. */
  async function whileMine<T>(job: LeasedJob, what: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures += 1) {
      try {
        return await what();
      } catch (error) {
        if (job.stop === 'lost' || !job.task.isMine || stop.signal.aborted || failures > 100) throw error;
        await clock.wait(50 + Math.min(1000, failures * 100), stop.signal);
        if (!keeper.link) await Promise.race([linked.promise, clock.wait(1000, stop.signal)]);
      }
    }
  }
}

/** A tar that lies is the job's doing; a full disk or a lost link is not. */
function faultOfOutputs(error: unknown): 'output_limit' | 'sandbox' | undefined {
  if (!(error instanceof IsolateError)) return undefined;
  return error.code === 'outputs.too_large' || error.code === 'outputs.too_many' ? 'output_limit' : 'sandbox';
}

function nameOfSet(envelope: Envelope) {
  try {
    return readUnverified(envelope, {
      type: PAYLOAD_TYPES.order,
      check: orderCheck,
      maxBytes: BOUNDS.orderBytes,
    }).set;
  } catch {
    return undefined; // its own check says why
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
