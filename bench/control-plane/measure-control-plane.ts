import { cpuOf } from '@writ/testkit';
import { readServer } from '../check-configuration.ts';
import { measureSignature } from '../limits/measure-signature.ts';
import { runJobs, type Submitter } from '../run-jobs.ts';
import { type Contestant, runRounds } from '../run-rounds.ts';
import type { ProcesslessAgent } from './start-processless-agent.ts';

export interface ControlPlaneRound {
  readonly perSecond: number;
  /** Of the server. */
  readonly cpuUsPerJob: number;
  /** Of the agent that only signs. */
  readonly agentCpuUsPerJob: number;
  /** What the server cannot save: one receipt has one signature. In the same round. */
  readonly signatureUs: number;
}

export interface ControlPlane {
  readonly jobs: number;
  readonly rounds: ReadonlyMap<string, readonly ControlPlaneRound[]>;
}

const JOBS = 100_000;
const WARM_JOBS = 10_000;

/** G5: orders, leases and receipts as ever, and no process started for them. */
export async function measureControlPlane(wish: {
  readonly rounds: number;
  readonly part: number;
  readonly submitter: Submitter;
  readonly agent: ProcesslessAgent;
  readonly say: (line: string) => void;
}): Promise<ControlPlane> {
  const jobs = Math.round(JOBS * wish.part);
  const contestant = (name: string, perOrder: number): Contestant<ControlPlaneRound> => ({
    name,
    run: () => runProcessless(wish.submitter, wish.agent, jobs, perOrder),
  });
  await runProcessless(wish.submitter, wish.agent, WARM_JOBS, 500);
  const rounds = await runRounds(
    [contestant('arrays of 500', 500), contestant('one array', jobs)],
    wish.rounds,
    (round, name) => wish.say(`  round ${round + 1} of ${wish.rounds}: ${name}`),
  );
  return { jobs, rounds };
}

export async function runProcessless(
  submitter: Submitter,
  agent: ProcesslessAgent,
  jobs: number,
  perOrder: number,
): Promise<ControlPlaneRound> {
  const { server } = submitter.cluster;
  const signatureUs = measureSignature();
  const before = await readServer(submitter);
  const cpu = { server: cpuOf(server.processes()), agent: cpuOf(agent.processes()) };
  agent.give(jobs);
  const wallMs = await Promise.race([
    agent.failed,
    runJobs(submitter, {
      agent: agent.identity,
      profile: 'strict',
      argv: ['/bin/true'],
      jobs,
      perOrder,
    }),
  ]);
  const spent = cpuOf(server.processes()) - cpu.server;
  const agentSpent = cpuOf(agent.processes()) - cpu.agent;
  const { verified } = await readServer(submitter);
  if (verified.receipts - before.verified.receipts !== jobs) {
    throw new Error(
      `the server verified ${verified.receipts - before.verified.receipts} receipts of ${jobs}`,
    );
  }
  return {
    perSecond: (jobs * 1000) / wallMs,
    cpuUsPerJob: (spent * 1000) / jobs,
    agentCpuUsPerJob: (agentSpent * 1000) / jobs,
    signatureUs,
  };
}
