import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, readResults, readVerifiedJob, readVerifiedLog } from '@writ/client';
import type { TaskState } from '@writ/contract';
import {
  temporaryCluster,
  type TemporaryCluster,
} from '../../../packages/store/src/postgres/testing/temporary-cluster.ts';
import { startEffectLog } from '../effect-log.ts';
import { readDatabase, readHistory } from '../read-history.ts';
import { throwDice, type Dice } from '../simulate/seeded-random.ts';
import { startCluster, type AgentMember, type Cluster } from '../start-cluster.ts';
import { judgeCampaign, type Evidence, type Verdict } from './judge-campaign.ts';
import { keepSubmitting, type Load } from './keep-submitting.ts';
import { keepEvidence, removeEvidence } from './keep-evidence.ts';
import { isEffective, isSettled, type Kill, type Role } from './kill.ts';
import { accountsOf, agentVictim, postmasterVictim, serverVictim, strike, supervise } from './strike.ts';
import type { Victim } from './strike.ts';
import { openSubmissions, readSubmissions } from './submission-history.ts';
import { saidBy } from './task-line.ts';

export interface CampaignWish {
  readonly database: 'sqlite' | 'postgres';
  /** In turn; one that is named twice has two turns. */
  readonly roles: readonly Role[];
  /** How many of the four. */
  readonly agents: number;
  readonly minutes: number;
  /** So many effective kills of each role are enough. */
  readonly kills: number | null;
  readonly seed: number;
}

export interface CampaignResult extends Verdict {
  readonly wish: CampaignWish;
  /** From the first kill to the last. */
  readonly seconds: number;
  readonly drainSeconds: number;
  readonly leaseSeconds: number;
  readonly agents: readonly { readonly name: string; readonly slots: number }[];
  /** As the server names it. */
  readonly database: string;
  readonly writ: string;
  /** Where everything is kept that tells of a fault; null when all held. */
  readonly evidence: string | null;
}

/** Longer than a server needs to be back on a busy machine, or nothing would ever come to its end. */
const LEASE_SECONDS = 10;
const SLOTS = 3;
const AGENTS = [
  { name: 'campaign-1', slots: SLOTS, profiles: ['bare'] },
  { name: 'campaign-2', slots: SLOTS, profiles: ['bare'] },
  { name: 'campaign-3', slots: SLOTS, profiles: ['bare'] },
  { name: 'campaign-4', slots: SLOTS, profiles: ['strict', 'user', 'bare'] },
] as const;
const SUBMITTERS = 2;
/** For each slot. */
const OPEN_TASKS = 3;
/** Between one kill and the next, drawn anew each time. */
const MOST_PAUSE_MS = 250;
const PATIENCE_MS = 180_000;
/** Jobs whose results are fetched and verified as their submitter would. */
const FETCHED_JOBS = 100;

/** Kills under load, lets everything come to its end, and judges. Ends what it started, however it ends. */
export async function runKillCampaign(
  wish: CampaignWish,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<CampaignResult> {
  await using opened = new AsyncDisposableStack();
  const dice = throwDice(wish.seed, 'kills');
  const agents = AGENTS.slice(-wish.agents);
  const effects = opened.use(await startEffectLog());
  const postgres = await startDatabase(wish, opened);
  const cluster = await startCluster({
    leaseSeconds: LEASE_SECONDS,
    agents,
    database: postgres?.url('campaign'),
  });
  opened.use(cluster);
  const clients = await Promise.all(Array.from({ length: SUBMITTERS }, () => cluster.openRemoteClient()));
  const file = join(cluster.folder, 'submissions');
  const history = openSubmissions(file);
  opened.defer(() => history.close());
  const supervised = cluster.agents.map((agent) => supervise(agent, effects));
  opened.defer(() => supervised.forEach((one) => one.leave()));
  const { database, writ } = await cluster.client.readServer();
  const load = keepSubmitting({
    cluster,
    clients,
    effects,
    dice,
    history,
    openTasks: agents.length * SLOTS * OPEN_TASKS,
  });
  opened.defer(() => load.stop());

  const server = serverVictim(cluster, effects);
  const victims: Record<Role, readonly Victim[]> = {
    server: [server],
    agent: supervised.map((one) => agentVictim('agent', one, effects)),
    launcher: supervised.map((one) => agentVictim('launcher', one, effects)),
    postmaster: postgres ? [postmasterVictim(postgres, effects)] : [],
  };
  const faults: string[] = [];
  const kills: Kill[] = [];
  const keep = (): Promise<string> =>
    keepEvidence({ cluster, postgres, submissions: file, effects: effects.effects, kills });
  let kept: string | undefined;
  let isOver = false;
  opened.defer(async () => {
    if (isOver || signal.aborted) return;
    await cluster.server.stop().catch(() => undefined);
    say(`it broke off; what tells of it is in ${(kept ??= await keep())}`);
  });
  const began = performance.now();
  await killInTurn({ wish, dice, victims, load, say, signal, faults, kills });
  signal.throwIfAborted();
  const seconds = (performance.now() - began) / 1000;

  say('faults stop; everything that was acknowledged must end');
  const stopped = performance.now();
  await Promise.all(supervised.filter((one) => one.isDown()).map((one) => one.back()));
  await load.finish().catch((error: unknown) => faults.push(`a submitter gave up: ${String(error)}`));
  await drain(cluster, faults, signal);
  const drainSeconds = (performance.now() - stopped) / 1000;
  for (const one of supervised) one.leave();
  const fetched = await fetchResults(cluster, clients[0] ?? cluster.client, file, dice);
  await Promise.all(cluster.agents.map((agent) => agent.stop()));
  const orphans = cluster.agents.flatMap(leftOf);
  await cluster.server.stop();
  // Its folder goes with the cluster, and whether anything was left is known only then.
  kept = await keep();
  const evidence: Evidence = {
    history: await (postgres ? readDatabase(postgres.url('campaign')) : readHistory(cluster.server.folder)),
    submissions: readSubmissions(file),
    effects: effects.effects,
    kills,
    orphans: [...orphans, ...(await cluster.stop()).map(({ line }) => line)],
    fetched,
    endedByThemselves: supervised.flatMap((one) => one.endedByItself()),
  };
  const verdict = judgeCampaign(evidence);
  const all = [...faults, ...verdict.faults];
  isOver = true;
  if (all.length === 0) removeEvidence(kept);
  else say(`${all.length} faults; what tells of them is in ${kept}`);
  return {
    ...verdict,
    faults: all,
    evidence: all.length === 0 ? null : kept,
    wish,
    seconds,
    drainSeconds,
    leaseSeconds: LEASE_SECONDS,
    agents: agents.map(({ name, slots }) => ({ name, slots })),
    database,
    writ,
  };
}

async function startDatabase(
  { database }: CampaignWish,
  opened: AsyncDisposableStack,
): Promise<TemporaryCluster | undefined> {
  if (database === 'sqlite') return undefined;
  const postgres = await temporaryCluster();
  opened.defer(() => postgres.remove());
  await postgres.createDatabase('campaign');
  // As durable, and without opening a thousand files that nobody has written.
  await postgres.set('recovery_init_sync_method = syncfs');
  await postgres.stop('fast');
  await postgres.start();
  return postgres;
}

interface Killing {
  readonly wish: CampaignWish;
  readonly dice: Dice;
  readonly victims: Readonly<Record<Role, readonly Victim[]>>;
  readonly load: Load;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  readonly faults: string[];
  /** Each is added when it has happened. */
  readonly kills: Kill[];
}

/** One role after the other. While a server or PostgreSQL is away nothing else is killed; agents come back meanwhile. */
async function killInTurn({ wish, dice, victims, load, say, signal, faults, kills }: Killing): Promise<void> {
  const effective = (role: Role): number =>
    kills.filter((kill) => kill.role === role && isEffective(kill) && isSettled(kill)).length;
  const wanted = (): Role[] =>
    wish.roles.filter((role) => wish.kills === null || effective(role) < wish.kills);
  const began = performance.now();
  let told = began;
  const until = began + wish.minutes * 60_000;
  while (performance.now() < until && !signal.aborted && wanted().length > 0) {
    for (const role of wanted()) {
      if (performance.now() >= until || signal.aborted) break;
      let victim = await choose(victims[role], dice, signal);
      await sleep(dice.between(0, MOST_PAUSE_MS));
      // What ran there has ended meanwhile.
      if (victim.running().length === 0) victim = await choose(victims[role], dice, signal);
      if (victim.identity === null && dice.chance(1 / 2)) await untilSubmitting(load, dice);
      const struck = strike(role, victim, load.unanswered());
      if (!struck) {
        faults.push(`${victim.name} had ended by itself when it was to be killed as ${role}`);
        continue;
      }
      kills.push(struck.kill);
      try {
        if (struck.kill.identity === null) {
          await struck.back;
          await victim.works();
        } else struck.back.catch((error: unknown) => faults.push(String(error)));
      } catch (error) {
        faults.push(`after a kill of the ${role}: ${String(error)}`);
        return;
      }
    }
    if (performance.now() - told < 30_000) continue;
    told = performance.now();
    const minutes = ((told - began) / 60_000).toFixed(1);
    say(
      `${minutes} min: ${[...new Set(wish.roles)].map((role) => `${role} ${effective(role)}`).join(', ')} effective kills`,
    );
  }
}

/** The time between a submission and its answer is short: half of the kills wait for it. */
async function untilSubmitting(load: Load, dice: Dice): Promise<void> {
  load.submitOne();
  for (const until = performance.now() + 300; load.unanswered() === 0 && performance.now() < until;)
    await sleep(1);
  await sleep(dice.between(0, 15));
}

/** One where something runs; where nothing does for a while, any. */
async function choose(victims: readonly Victim[], dice: Dice, signal: AbortSignal): Promise<Victim> {
  for (const until = performance.now() + 10_000; performance.now() < until && !signal.aborted;) {
    const busy = victims.filter((victim) => victim.isUp() && victim.running().length > 0);
    if (busy.length > 0) return dice.pick(busy);
    await sleep(5);
  }
  return dice.pick(victims);
}

const OPEN: readonly TaskState[] = ['waiting', 'leased', 'running'];

async function drain({ client }: Cluster, faults: string[], signal: AbortSignal): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    signal.throwIfAborted();
    const pages = await Promise.all(OPEN.map((state) => client.listJobs({ state, limit: 500 })));
    const open = pages.flatMap(({ items }) => items);
    if (open.length === 0) return;
    if (performance.now() > until) {
      faults.push(`${open.length} jobs did not end in ${PATIENCE_MS / 1000} s after the last kill`);
      return;
    }
    await sleep(100);
  }
}

/** As a submitter would: each receipt verified, each log compared with its digest, and with what the task wrote. */
async function fetchResults(
  { sets }: Cluster,
  client: Client,
  file: string,
  dice: Dice,
): Promise<Evidence['fetched']> {
  const jobs = readSubmissions(file).filter(({ told }) => told !== null);
  const picked = new Set(
    jobs.length > FETCHED_JOBS ? Array.from({ length: FETCHED_JOBS }, () => dice.pick(jobs)) : jobs,
  );
  const wrong: string[] = [];
  let results = 0;
  for (const { job } of picked) {
    try {
      const verified = await readVerifiedJob(client, { job, sets });
      for await (const result of readResults(client, verified)) {
        if (result.predicate.because !== 'exit') continue;
        results += 1;
        const { attempt, outputs } = result.predicate;
        const texts = [Buffer.from(await readVerifiedLog(client, job, result, 'stdout')).toString()];
        for (const { digest } of outputs)
          texts.push(await new Response(await client.readFile(digest)).text());
        // An adopted result is that of an earlier attempt.
        const expected = Array.from({ length: attempt }, (_, at) => saidBy(job, result.index, at + 1));
        for (const text of texts)
          if (!expected.includes(text)) wrong.push(`${job}.${result.index} returned “${text}”`);
      }
    } catch (error) {
      wrong.push(`${job}: ${String(error)}`);
    }
  }
  return { results, wrong };
}

/** Whatever still runs in the accounts of its slots. */
function leftOf(agent: AgentMember): string[] {
  const { first, end } = accountsOf(agent);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const { uid } = statSync(`/proc/${pid}`);
        if (uid < first || uid >= end) return [];
        // One that ended and that nobody has waited for yet has no line.
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8')].filter((line) => line !== '');
      } catch {
        return [];
      }
    });
}
