import { setTimeout as sleep } from 'node:timers/promises';
import { measureRoundTrip } from './limits/measure-round-trip.ts';
import type { Limits } from './limits/limits.ts';
import { runOne, signJob, type Submitter } from './run-jobs.ts';
import { percentile } from './statistics.ts';

export interface LatencyRound {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** What cannot be saved: start and wait, two durable commits, two TLS round trips. */
  readonly floorMs: number;
  readonly spawnMs: number;
  readonly commitMs: number;
  readonly roundTripMs: number;
}

export interface LatencyWish {
  readonly rounds: number;
  readonly part: number;
  readonly limits: Limits;
  readonly folder: string;
  readonly submitter: Submitter;
  readonly agent: string;
  readonly profile: 'bare' | 'strict';
  readonly argv: readonly [string, ...string[]];
}

const SAMPLES = 200;
/** Before each job, so that it meets an idle system; and before each part of the floor, which is slower there as well. */
const REST_MS = 15;
/** A commit of this database is about this long. */
const COMMIT_BYTES = 8192;

/** G4: one job at a time on an idle system, against what it is made of, in the same rounds. */
export async function measureLatency(wish: LatencyWish): Promise<LatencyRound[]> {
  const { limits, submitter } = wish;
  const { cluster } = submitter;
  const agent = cluster.agent(wish.agent);
  const samples = Math.max(30, Math.round(SAMPLES * wish.part));
  const rounds: LatencyRound[] = [];
  for (let round = 0; round < wish.rounds; round += 1) {
    const spawned = await limits.spawn({
      slots: 1,
      jobs: samples,
      isCaptured: false,
      argv: wish.argv,
      restMs: REST_MS,
    });
    const commit = await limits.commit(samples, COMMIT_BYTES, REST_MS);
    const trip = await measureRoundTrip(wish.folder, samples, REST_MS);
    const took: number[] = [];
    for (let sample = 0; sample < samples; sample += 1) {
      const order = signJob(
        cluster,
        { agent: agent.identity, profile: wish.profile, argv: ['/bin/true'] },
        { is: 'one' },
      );
      await sleep(REST_MS);
      took.push(await runOne(submitter, order));
    }
    rounds.push({
      p50Ms: percentile(took, 50),
      p99Ms: percentile(took, 99),
      floorMs: spawned.p50Ms + 2 * commit.p50Ms + 2 * trip.p50Ms,
      spawnMs: spawned.p50Ms,
      commitMs: commit.p50Ms,
      roundTripMs: trip.p50Ms,
    });
  }
  return rounds;
}
