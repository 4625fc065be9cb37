import { encodeBase64, type Envelope } from '@writ/contract';
import { inviteSigner, parseInvite } from '@writ/trust';
import { makeAgentMachine, type AgentMachine } from './agent-machine.ts';
import { useDisks } from './disk-calls.ts';
import type { Happenings } from './happenings.ts';
import { ownServer } from './owned-server.ts';
import { makePaperAuthority, type PaperAuthority } from './paper-authority.ts';
import { makePeople, withBob, withoutBob } from './person.ts';
import { planSeed, type PlannedJob } from './plan-seed.ts';
import { beginKeysAnew } from './remembered-crypto.ts';
import { openRecorder, type Counts, type KnownAgent, type Submission } from './recorder.ts';
import { throwDice } from './seeded-random.ts';
import { makeServerMachine, type PeoplesServer } from './server-machine.ts';
import { openSharedDatabase, type SharedDatabase } from './shared-database.ts';
import { makeDisk } from './virtual-disk.ts';
import {
  BEGIN,
  openTimeline,
  ProgramOver,
  useVirtualTurns,
  wallOf,
  type Host,
  type Program,
} from './virtual-time.ts';
import { clearPath } from './wire.ts';

export interface SeedReport {
  readonly seed: number;
  /** What must not have happened. Nothing is good. */
  readonly faults: readonly string[];
  readonly trace: readonly string[];
  readonly counts: Counts;
  /** What was injected, by kind. */
  readonly injected: ReadonlyMap<string, number>;
  readonly virtualMs: number;
  readonly steps: number;
}

const MOST_TRACE = 4_000;
const DRAIN_MS = 60_000;
const DAY = 86_400_000;

/** What all seeds of a process share: a database, and the keys of an authority. */
export interface Ground {
  readonly database: SharedDatabase;
  readonly paper: PaperAuthority;
  close(): void;
}

export async function openGround(): Promise<Ground> {
  const database = await openSharedDatabase();
  return { database, paper: await makePaperAuthority(), close: () => database.close() };
}

/** One run from one number: what goes wrong in it, when, and in which order everything happens. */
export async function simulateSeed(seed: number, ground: Ground): Promise<SeedReport> {
  beginKeysAnew();
  const dice = throwDice(seed);
  const plan = planSeed(dice.fork('plan'));
  const faults: string[] = [];
  const trace: string[] = [];
  const injected = new Map<string, number>();
  const note = (what: string): void => {
    if (trace.length >= MOST_TRACE) trace.splice(0, MOST_TRACE / 2);
    trace.push(`${timeline.now.toFixed(1).padStart(9)}  ${what}`);
  };
  const onFault = (what: string): void => {
    faults.push(what);
    note(`FAULT ${what}`);
  };
  const inject = (kind: string, what: string): void => {
    injected.set(kind, (injected.get(kind) ?? 0) + 1);
    note(`*** ${kind}: ${what}`);
  };
  const timeline = openTimeline(dice.fork('time'), (error) =>
    onFault(`uncaught: ${error instanceof Error ? error.stack : String(error)}`),
  );
  const chaos = dice.fork('chaos');
  let isCalm = true;

  const makeHost = (name: string, rate = 1): Host => ({ name, disk: makeDisk(), boot: 1, ahead: 0, rate });
  const programs = new Set<Program>();
  const startProgram = (host: Host): Program => {
    const program: Program = {
      name: host.name,
      host,
      isOver: false,
      pausedUntil: 0,
      lastTurn: 0,
      onOver: [],
    };
    programs.add(program);
    return program;
  };
  const end = (program: Program): void => {
    if (program.isOver) return;
    program.isOver = true;
    programs.delete(program);
    for (const act of program.onOver) act();
  };

  const journal = ground.database.begin();
  const people = makePeople(dice.fork('people'), encodeBase64(ground.paper.authority.rootCertificate), BEGIN);
  const submissions = new Map<string, Submission>();
  const known = new Map<string, KnownAgent>();
  /** When the clock of the server was set last. */
  let jumpedAt = -Infinity;
  const agentJumpedAt = new Map<string, number>();
  const excuses: { readonly at: number; readonly whom: string }[] = [];
  const serverHost = makeHost('server');

  const happenings: Happenings = {
    onMessage: (agent, at, direction, line) => {
      if (at === 'arrived' && !line.startsWith('{"is":"ping"') && !line.startsWith('{"is":"pong"'))
        note(`${agent} ${direction}: ${line.length > 220 ? `${line.slice(0, 220)}…` : line}`);
      recorder.onMessage(agent, at, direction, line);
    },
    onStart(execution, run) {
      note(`${execution.agent} runs ${execution.job}.${execution.index}.${execution.attempt}`);
      recorder.onStart(execution, run);
    },
    onRefused: (agent, attempt) => recorder.onRefused(agent, attempt),
    onEnd: (execution) =>
      note(
        `${execution.agent} ends ${execution.job}.${execution.index}.${execution.attempt} ${execution.code}`,
      ),
    onJoined(agent, joined) {
      note(`${agent} has joined as ${joined.identity}`);
      const mine = known.get(agent);
      if (!mine) return;
      if (mine.identity !== null && mine.identity !== joined.identity)
        onFault(`R: ${agent} joined twice, under two keys`);
      mine.identity = joined.identity;
    },
    onFault,
    note,
    losesAnswer: () => !isCalm && chaos.chance(plan.faults.loseAnswer),
  };

  const maybeEnd =
    (chance: number, kind: string, restart: () => void) =>
    (program: Program, where: string): void => {
      if (isCalm || program.isOver || !chaos.chance(chance)) return;
      inject(kind, `${program.name} ${where}`);
      end(program);
      timeline.after(chaos.between(20, 800), null, restart);
      throw new ProgramOver(program.name);
    };

  const server = await makeServerMachine(
    {
      timeline,
      host: serverHost,
      file: ground.database.file,
      leaseSeconds: plan.leaseSeconds,
      leafLifeMs: plan.leafLifeMs,
      paper: ground.paper,
      happenings,
      startProgram,
      maybeEnd: maybeEnd(plan.faults.killServerAtCall, 'server killed at a call', () => startServer()),
    },
    people.sets.cluster,
  );
  const startServer = (): void => {
    if (!server.program) server.start();
  };

  let number = 0;
  const owned = plan.isServerOwned ? ownServer(dice.fork('lies'), (what) => inject('lie', what)) : null;
  const invites: { digest: string; envelope: Envelope; inviteKey: string; name: string; until: number }[] =
    [];
  const machines: AgentMachine[] = plan.agents.map(({ slots, labels, rate }, at) => {
    const name = `agent-${at + 1}`;
    const invite = people.invite(name, labels, BEGIN);
    invites.push({ ...invite, name, inviteKey: inviteSigner(parseInvite(invite.text).seed).key });
    known.set(name, { name, labels, identity: null, banAskedAt: null, bannedAt: null });
    return makeAgentMachine({
      timeline,
      host: makeHost(name, rate),
      path: clearPath(),
      invite: invite.text,
      slots,
      launcherFails: plan.faults.launcherFails,
      receiptSegmentBytes: plan.receiptSegmentBytes,
      server: () => server,
      happenings,
      onLeft(program) {
        end(program);
        const machine = machineOf(name);
        if (machine) restart(machine);
      },
      startProgram,
      number: () => (number += 1),
      owned,
    });
  });
  const machineOf = (name: string): AgentMachine | undefined =>
    machines.find((machine) => machine.host.name === name);
  const startAgent = (machine: AgentMachine): void => {
    if (!machine.program) machine.start();
  };
  useDisks({
    timeline,
    maybeEnd: (program, where) =>
      maybeEnd(plan.faults.killAgentAtCall, 'agent killed at a call', () => {
        const machine = machineOf(program.name);
        if (machine) startAgent(machine);
      })(program, where),
  });

  const recorder = openRecorder({
    now: () => timeline.now,
    serverWall: () => wallOf(serverHost, timeline),
    agentWall: (agent) => wallOf(machineOf(agent)?.host ?? serverHost, timeline),
    isServerOpening: () => !server.listening || server.openedAt === timeline.now,
    leaseSeconds: plan.leaseSeconds,
    freshnessSeconds: plan.freshnessSeconds,
    journal,
    submissions,
    agents: known,
    durableRecord: (agent) =>
      machineOf(agent)?.host.disk.readDurable(`/${agent}/agent/replay.log`)?.toString('utf8') ?? '',
    endedKeys: people.ended,
    newestWord: () => people.newestWord,
    // Who is banned is not waited for.
    mayOverlap: (agent, since) =>
      known.get(agent)?.banAskedAt != null ||
      excuses.some((excuse) => excuse.at >= since && excuse.whom === agent),
    hasServerJumped: (since) => jumpedAt >= since,
    hasAgentJumped: (agent, since) => (agentJumpedAt.get(agent) ?? -Infinity) >= since,
    isServerOwned: plan.isServerOwned,
    onFault,
  });

  // ── people ─────────────────────────────────────────────────────────────────────────────────────────────────────

  const peopleHost = makeHost('people');
  const office = startProgram(peopleHost);
  const wall = (): number => wallOf(peopleHost, timeline);
  let busy = 0;
  let unsubmitted = plan.jobs.length;

  /** Asks until there is an answer; false: no. */
  const ask = async (what: string, act: (server: PeoplesServer) => Promise<unknown>): Promise<boolean> => {
    busy += 1;
    let answer: 'yes' | 'no' | 'none' = 'none';
    while (answer === 'none') answer = await askOnce(what, act);
    busy -= 1;
    return answer === 'yes';
  };
  const askOnce = (
    what: string,
    act: (server: PeoplesServer) => Promise<unknown>,
  ): Promise<'yes' | 'no' | 'none'> =>
    new Promise((resolve) => {
      timeline.after(1_500, office, () => resolve('none'));
      const reply = (answer: 'yes' | 'no'): void => {
        if (!isCalm && chaos.chance(plan.faults.loseAnswer)) return inject('answer lost', what);
        timeline.after(chaos.between(0.1, 10), office, () => resolve(answer));
      };
      const arrive = (): void => {
        const { program } = server;
        if (!program) return;
        timeline.after(0, program, () => {
          const { people: asked } = server;
          if (!asked) return;
          act(asked).then(
            () => {
              if (program.isOver) return;
              reply('yes');
              // Whoever was answered relies on it.
              if (isCalm || !chaos.chance(plan.faults.killServerAtCall * 5)) return;
              inject('server killed at a call', `server after it answered ${what}`);
              end(program);
              timeline.after(chaos.between(20, 800), null, startServer);
            },
            (error: unknown) => {
              if (program.isOver) return;
              note(`${what} is refused: ${String(error)}`);
              if (isFinal(error)) reply('no');
            },
          );
        });
      };
      if (isCalm || !chaos.chance(plan.faults.loseRequest))
        timeline.after(chaos.between(0.1, 10), null, arrive);
      else inject('request lost', what);
      if (!isCalm && chaos.chance(plan.faults.repeatRequest))
        timeline.after(chaos.between(1, 3_000), null, arrive);
    });

  const submit = async (job: PlannedJob): Promise<void> => {
    const named = job.isOnce ? (known.get(chaos.pick([...known.keys()]))?.identity ?? null) : null;
    const made = people.order(job, wall(), named);
    const { key } = people[job.by].signer;
    const submission: Submission = {
      order: made.order,
      digest: made.digest,
      key,
      isAcknowledged: false,
      isRefused: false,
      cancelledAt: null,
    };
    const id = made.order.job;
    submissions.set(id, submission);
    note(`submits ${id} by ${job.by} ${JSON.stringify(job)}`);
    if (job.cancelAt !== null)
      timeline.after(job.cancelAt - timeline.now, office, () => void cancel(job, submission));
    busy += 1;
    unsubmitted -= 1;
    let asked = 0;
    const isTaken = await ask(`submit ${id}`, async (at) => {
      asked += 1;
      if (asked > 1 && journal.hasJob(id)) recorder.counts.lostAnswers += 1;
      await at.submit(made.envelope).catch((error: unknown) => {
        if (isFinal(error) && journal.hasJob(id))
          onFault(`I11: ${id} is stored, and asking again for it is refused: ${String(error)}`);
        throw error;
      });
    });
    if (isTaken) submission.isAcknowledged = true;
    else submission.isRefused = true;
    note(`${id} is ${isTaken ? 'acknowledged' : 'refused'}`);
    busy -= 1;
  };

  const cancel = async (job: PlannedJob, submission: Submission): Promise<void> => {
    const { order, digest } = submission;
    busy += 1;
    const withdrawal = job.withdraws ? people.withdrawal(order, digest, wall()) : null;
    for (let isThere = false; !isThere && !submission.isRefused;) {
      const isTaken = await ask(`cancel ${order.job}`, async (at) => {
        isThere = await at.cancel(order.job, { indexes: null, how: job.how, withdrawal });
      });
      // A key that does not count any more withdraws nothing.
      if (!isTaken) break;
      if (!isThere) await timeline.wait(200, office);
      else {
        submission.cancelledAt = timeline.now;
        note(`${order.job} is cancelled`);
      }
    }
    busy -= 1;
  };

  const ban = async (machine: AgentMachine): Promise<void> => {
    const agent = known.get(machine.host.name);
    if (!agent?.identity) return;
    agent.banAskedAt = timeline.now;
    inject('ban', agent.name);
    await ask(`ban ${agent.name}`, async (at) => await at.ban(agent.identity ?? '', agent.name));
    agent.bannedAt = timeline.now;
  };

  const changeSet = async (): Promise<void> => {
    const isBobsEnd = !people.ended.size && chaos.chance(0.5);
    const next = people.nextSet(wall(), (set) => (isBobsEnd ? withoutBob(people.bob, set, wall()) : {}));
    inject('set changed', `version ${people.sets.newest.set.version}${isBobsEnd ? ', without bob' : ''}`);
    await ask('change the set', async (at) => await at.changeSet(next));
  };

  const keepFresh = async (): Promise<void> => {
    for (;;) {
      await timeline.wait(10_000, office);
      const mark = people.freshness(wall());
      await ask('leave a mark', async (at) => await at.leaveFreshness(mark));
    }
  };

  const setUp = async (): Promise<void> => {
    const first = people.sets.newest.envelope;
    await ask('claim', async (at) => await at.claim(first));
    const second = people.nextSet(wall(), (set) => ({
      ...withBob(people.bob, set),
      freshnessSeconds: plan.freshnessSeconds,
    }));
    await ask('change the set', async (at) => await at.changeSet(second));
    const by = { actor: 'local:0', source: 'socket', now: wall() };
    for (const { digest, envelope, inviteKey, name, until } of invites)
      await ask(
        `invite ${name}`,
        async (at) =>
          await at.store.trust.addInvite({ digest, inviteKey, role: 'agent', name, until, envelope }, by),
      );
    for (const machine of machines) startAgent(machine);
    isCalm = false;
    for (const job of plan.jobs) timeline.after(job.at, office, () => void submit(job));
    void keepFresh();
    startChaos();
  };

  // ── what goes wrong ────────────────────────────────────────────────────────────────────────────────────────────

  const often = (perSecond: number, act: () => void): void => {
    if (perSecond === 0) return;
    timeline.after((-Math.log(1 - chaos.next()) / perSecond) * 1000, null, () => {
      if (isCalm) return;
      act();
      often(perSecond, act);
    });
  };
  const excuse = (whom: string, at = timeline.now): void => void excuses.push({ at, whom });
  const anyMachine = (): AgentMachine => chaos.pick(machines);
  const restart = (machine: AgentMachine): void =>
    void timeline.after(chaos.between(5, plan.leaseSeconds * 1500), null, () => startAgent(machine));

  const startChaos = (): void => {
    const { faults: rates } = plan;
    often(rates.killServer, () => {
      const { program } = server;
      if (!program) return;
      inject('server killed', '');
      end(program);
      timeline.after(chaos.between(5, plan.leaseSeconds * 1500), null, startServer);
    });
    often(rates.killAgent, () => {
      const machine = anyMachine();
      if (!machine.program) return;
      inject('agent killed', machine.host.name);
      end(machine.program);
      restart(machine);
    });
    often(rates.killLauncher, () => {
      const machine = anyMachine();
      if (machine.killLauncher()) inject('launcher killed', machine.host.name);
    });
    often(rates.losePower, () => {
      if (chaos.chance(0.2)) {
        inject('power lost', 'server');
        for (const machine of machines) for (const wire of machine.wires) wire.vanish();
        if (server.program) end(server.program);
        timeline.after(chaos.between(50, 1_500), null, startServer);
        return;
      }
      const machine = anyMachine();
      inject('power lost', machine.host.name);
      for (const wire of machine.wires) wire.vanish();
      if (machine.program) end(machine.program);
      machine.host.disk.losePower(chaos);
      machine.host.boot += 1;
      restart(machine);
    });
    often(rates.cut, () => {
      const machine = anyMachine();
      if (machine.wires.size > 0) inject('link cut', machine.host.name);
      for (const wire of machine.wires) wire.close('both');
    });
    often(rates.vanish, () => {
      const machine = anyMachine();
      if (machine.wires.size > 0) inject('link forgotten', machine.host.name);
      for (const wire of machine.wires) wire.vanish();
    });
    often(rates.block, () => {
      const { path, host } = anyMachine();
      const until = timeline.now + chaos.between(20, plan.leaseSeconds * 2_500);
      const which = chaos.pick(['to server', 'to agent', 'both'] as const);
      inject('link blocked', `${host.name} ${which} until ${until.toFixed(0)}`);
      if (which !== 'to agent') path.blockedUntil['to server'] = until;
      if (which !== 'to server') path.blockedUntil['to agent'] = until;
    });
    often(rates.slow, () => {
      const { path, host } = anyMachine();
      inject('link slow', host.name);
      path.slowness = [1, chaos.between(20, plan.leaseSeconds * 600)];
      timeline.after(chaos.between(200, 2_000), null, () => (path.slowness = clearPath().slowness));
    });
    const pause = (program: Program | undefined, whom: string): void => {
      if (!program) return;
      const until = timeline.now + chaos.between(20, plan.leaseSeconds * 3_000);
      inject('paused', `${program.name} until ${until.toFixed(0)}`);
      program.pausedUntil = Math.max(program.pausedUntil, until);
      if (whom === 'server') return;
      excuse(whom);
      excuse(whom, until);
    };
    often(rates.pauseAgent, () => {
      const machine = anyMachine();
      pause(machine.program, machine.host.name);
    });
    often(rates.pauseServer, () => pause(server.program, 'server'));
    const jump = (): number =>
      chaos.pick([1, -1]) *
      chaos.pick([chaos.between(100, 2_000), chaos.between(2_000, 60_000), 3_600_000, DAY]);
    often(rates.jumpAgent, () => {
      const { host } = anyMachine();
      host.ahead = Math.round(jump());
      agentJumpedAt.set(host.name, timeline.now);
      inject('clock jumped', `${host.name} by ${host.ahead}`);
    });
    often(rates.jumpServer, () => {
      serverHost.ahead = Math.round(jump());
      jumpedAt = timeline.now;
      inject('clock jumped', `server by ${serverHost.ahead}`);
    });
    if (rates.ban) timeline.after(chaos.between(500, plan.faultsUntil), office, () => void ban(anyMachine()));
    if (rates.changeSets)
      for (let changes = chaos.whole(1, 3); changes > 0; changes -= 1)
        timeline.after(chaos.between(200, plan.faultsUntil), office, () => void changeSet());
  };

  const calm = (): void => {
    isCalm = true;
    note('*** from here on nothing goes wrong');
    for (const { path, host } of machines) {
      path.blockedUntil = { 'to server': 0, 'to agent': 0 };
      path.slowness = clearPath().slowness;
      host.ahead = 0;
    }
    serverHost.ahead = 0;
    jumpedAt = timeline.now;
  };

  // ── the run ────────────────────────────────────────────────────────────────────────────────────────────────────

  const turns = useVirtualTurns(timeline);
  const onRejected = (error: unknown): void => {
    if (!(error instanceof ProgramOver))
      onFault(`uncaught: ${error instanceof Error ? error.stack : String(error)}`);
  };
  process.on('unhandledRejection', onRejected);
  const serverSteps = (program: Program | null): void => {
    if (program?.host === serverHost) recorder.look();
  };
  let steps = 0;
  const isDone = (): boolean =>
    unsubmitted === 0 && busy <= 1 && journal.openJobs() === 0 && recorder.unanswered().length === 0;
  const hasDrained = (): boolean =>
    faults.length > 0 || (isCalm && (plan.isServerOwned || ((steps += 1) % 16 === 0 && isDone())));
  try {
    server.start();
    timeline.after(0, office, () => void setUp());
    await timeline.run(plan.faultsUntil, () => faults.length > 0, serverSteps);
    if (faults.length === 0) {
      calm();
      // What was repeated on its way may bring work once more.
      const limit = plan.faultsUntil + DRAIN_MS;
      do {
        await timeline.run(limit, hasDrained, serverSteps);
        await timeline.run(timeline.now + 700, () => faults.length > 0, serverSteps);
      } while (faults.length === 0 && timeline.now < limit && !plan.isServerOwned && !isDone());
    }
    recorder.look();
    if (faults.length === 0) {
      if (!plan.isServerOwned && (unsubmitted > 0 || busy > 1)) onFault('I10: people still wait for answers');
      if (!plan.isServerOwned) recorder.judgeEnd();
    }
  } finally {
    for (const program of programs) program.isOver = true;
    turns.giveBack();
    await server.close();
    useDisks(undefined);
    process.off('unhandledRejection', onRejected);
  }
  return {
    seed,
    faults,
    trace,
    counts: recorder.counts,
    injected,
    virtualMs: timeline.now,
    steps: timeline.steps,
  };
}

const FINAL = new Set(['order.refused', 'conflict.job_id', 'request.malformed', 'set.refused']);
const isFinal = (error: unknown): boolean =>
  error instanceof Error && FINAL.has(String(Reflect.get(error, 'code')));
