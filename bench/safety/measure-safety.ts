import { cpuOf } from '@writ/testkit';
import { readServer, refusesForged } from '../check-configuration.ts';
import { runJobs, type Submitter } from '../run-jobs.ts';
import { type RoundsWish, runRounds } from '../run-rounds.ts';
import { EVERYTHING, type Without } from './without.ts';

export interface SafetyRound {
  readonly perSecond: number;
  readonly cpuMsPerJob: number;
}

export interface Safety {
  readonly jobs: number;
  readonly everything: string;
  readonly rounds: ReadonlyMap<string, readonly SafetyRound[]>;
}

export interface Started {
  readonly without: Without;
  readonly submitter: Submitter;
}

const JOBS = 5000;
const WARM_JOBS = 2000;
const PER_ORDER = 500;

/** G11: `/bin/true` in arrays with everything on, and with one thing off at a time. */
export async function measureSafety(
  wish: RoundsWish & {
    /** Each with one agent. */
    readonly started: readonly Started[];
  },
): Promise<Safety> {
  const jobs = Math.round(JOBS * wish.part);
  for (const { without, submitter } of wish.started) {
    wish.say(`  warming up: ${without.name}`);
    await run(submitter, Math.round(WARM_JOBS * Math.min(1, wish.part * 2)));
    await checkOff(without, submitter);
  }
  const contestants = wish.started.map(({ without, submitter }) => ({
    name: without.name,
    run: () => run(submitter, jobs),
  }));
  const rounds = await runRounds(contestants, wish.rounds, (line) => wish.say(`  ${line}`));
  return { jobs, everything: EVERYTHING.name, rounds };
}

/** @throws Error when something is on that should be off, or off that should be on. */
async function checkOff(without: Without, submitter: Submitter): Promise<void> {
  const { client } = submitter;
  const { database } = await readServer(submitter);
  const isForgedRefused = await refusesForged(submitter);
  const ended = (await client.listJobs({ state: 'succeeded', limit: 1 })).items[0];
  const receipt = ended && (await client.listReceipts(ended.id, { limit: 1 })).items[0];
  const isSigned = receipt?.envelope.signatures.every(({ sig }) => !sig.startsWith('AAAAAAAA'));
  const found = { database, isForgedRefused, isSigned };
  const isAsWanted =
    database.includes(without.says ?? 'synchronous full') &&
    isForgedRefused !== (without.isUnsigned ?? false) &&
    isSigned !== (without.isUnsigned ?? false);
  if (!isAsWanted) throw new Error(`${without.name}: not what is to be measured: ${JSON.stringify(found)}`);
}

async function run(submitter: Submitter, jobs: number): Promise<SafetyRound> {
  const { cluster } = submitter;
  const [agent] = cluster.agents;
  if (!agent) throw new Error('there is no agent');
  const before = cpuOf(cluster.processes());
  const wallMs = await runJobs(submitter, {
    agent: agent.identity,
    profile: 'bare',
    argv: ['/bin/true'],
    jobs,
    perOrder: PER_ORDER,
  });
  return {
    perSecond: (jobs * 1000) / wallMs,
    cpuMsPerJob: (cpuOf(cluster.processes()) - before) / jobs,
  };
}
