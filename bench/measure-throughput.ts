import { cpuOf } from '@writ/testkit';
import type { Limits } from './limits/limits.ts';
import { findPeers } from './peers/find-peers.ts';
import { runJobs, type Submitter } from './run-jobs.ts';
import { type Contestant, type RoundsWish, runRounds } from './run-rounds.ts';

/** How somebody was set up who stands beside Writ. */
export interface SetUp {
  readonly name: string;
  readonly how: string;
}

export interface Throughput {
  readonly perSecond: number;
  /** Of everything that was started for it; undefined where that was not measured. */
  readonly cpuMsPerJob?: number;
}

export interface Pair {
  readonly title: string;
  readonly writ: string;
  readonly limit: string;
}

export interface ThroughputWish extends RoundsWish {
  readonly limits: Limits;
  readonly folder: string;
  readonly submitter: Submitter;
  /** The sandbox line whose starts are the limit of `strict`; undefined where there is none. */
  readonly sandbox: readonly [string, ...string[]] | undefined;
}

const BARE_JOBS = 5000;
const STRICT_JOBS = 500;
const PER_ORDER = 500;

/** G1, G2, G3 and G10: `/bin/true` as fast as it goes, beside its limit and its peers. */
export async function measureThroughput(wish: ThroughputWish): Promise<{
  readonly rounds: ReadonlyMap<string, readonly Throughput[]>;
  readonly pairs: readonly Pair[];
  readonly peers: readonly SetUp[];
  readonly notRun: readonly string[];
}> {
  const jobs = Math.round(BARE_JOBS * wish.part);
  const strictJobs = Math.round(STRICT_JOBS * wish.part);
  const peers = await findPeers({ slots: 8, jobs, folder: wish.folder, say: wish.say });
  const failed: string[] = [];
  const contestants: Contestant<Throughput>[] = [
    writ(wish, 'writ bare, 8 slots', { agent: 'bare-8', profile: 'bare', jobs }),
    limit(wish, 'C loop, 8 slots, output captured', {
      slots: 8,
      jobs,
      isCaptured: true,
      argv: ['/bin/true'],
    }),
    limit(wish, 'C loop, 8 slots', { slots: 8, jobs, isCaptured: false, argv: ['/bin/true'] }),
    writ(wish, 'writ bare, 2 slots', { agent: 'bare-2', profile: 'bare', jobs }),
    limit(wish, 'C loop, 2 slots, output captured', {
      slots: 2,
      jobs,
      isCaptured: true,
      argv: ['/bin/true'],
    }),
    writ(wish, 'writ bare, 8 slots, 1 GiB heap', { agent: 'heap-8', profile: 'bare', jobs }),
    ...peers.map(({ contestant }) => ({
      ...contestant,
      onFailed: (error: Error) => void failed.push(`${contestant.name}: ${error.message}`),
    })),
  ];
  const pairs: Pair[] = [
    {
      title: 'G1 bare, 8 slots, both capture output',
      writ: 'writ bare, 8 slots',
      limit: 'C loop, 8 slots, output captured',
    },
    {
      title: 'G1 bare, 8 slots, the limit without capture',
      writ: 'writ bare, 8 slots',
      limit: 'C loop, 8 slots',
    },
    {
      title: 'G1 bare, 2 slots, both capture output',
      writ: 'writ bare, 2 slots',
      limit: 'C loop, 2 slots, output captured',
    },
    {
      title: 'G10 agent with 1 GiB of live heap',
      writ: 'writ bare, 8 slots, 1 GiB heap',
      limit: 'writ bare, 8 slots',
    },
    ...peers.map(({ peer, contestant }) => ({
      title: `G2 beside ${peer.name}`,
      writ: 'writ bare, 8 slots',
      limit: contestant.name,
    })),
  ];
  const { sandbox } = wish;
  if (sandbox) {
    contestants.push(
      writ(wish, 'writ strict, 8 slots', { agent: 'strict-8', profile: 'strict', jobs: strictJobs }),
      limit(wish, 'C loop of the same bwrap line, 8 slots', {
        slots: 8,
        jobs: strictJobs,
        isCaptured: true,
        argv: sandbox,
      }),
    );
    pairs.push({
      title: 'G1 strict, 8 slots, against the same bwrap line',
      writ: 'writ strict, 8 slots',
      limit: 'C loop of the same bwrap line, 8 slots',
    });
  }
  const rounds = await runRounds(contestants, wish.rounds, (line) => wish.say(`  ${line}`));
  const notRun = contestants.flatMap(({ name, run, because }) =>
    run ? [] : [`${name}: ${because ?? 'not run'}`],
  );
  notRun.push(...failed);
  if (!sandbox) notRun.push('strict: this machine measured no profile strict');
  return {
    rounds,
    pairs,
    peers: peers
      .filter(({ contestant }) => contestant.run)
      .map(({ peer, contestant }) => ({ name: contestant.name, how: peer.how })),
    notRun,
  };
}

function writ(
  { submitter }: ThroughputWish,
  name: string,
  work: { readonly agent: string; readonly profile: 'bare' | 'strict'; readonly jobs: number },
): Contestant<Throughput> {
  const { cluster } = submitter;
  const agent = cluster.agents.find((one) => one.name === work.agent);
  if (!agent) return { name, run: undefined, because: `there is no agent ${work.agent}` };
  return {
    name,
    async run() {
      const before = cpuOf(cluster.processes());
      const wallMs = await runJobs(submitter, {
        agent: agent.identity,
        profile: work.profile,
        argv: ['/bin/true'],
        jobs: work.jobs,
        perOrder: PER_ORDER,
      });
      const cpuMs = cpuOf(cluster.processes()) - before;
      return { perSecond: (work.jobs * 1000) / wallMs, cpuMsPerJob: cpuMs / work.jobs };
    },
  };
}

const limit = (
  { limits }: ThroughputWish,
  name: string,
  work: Parameters<Limits['spawn']>[0],
): Contestant<Throughput> => ({ name, run: () => limits.spawn(work) });
