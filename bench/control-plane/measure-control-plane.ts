import { cpuOf } from '@writ/testkit';
import { readServer } from '../check-configuration.ts';
import { measureSignature } from '../limits/measure-signature.ts';
import { runJobs } from '../run-jobs.ts';
import { type Contestant, type RoundsWish, runRounds } from '../run-rounds.ts';
import { type Processless, processlessWork } from './processless-work.ts';

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
export async function measureControlPlane(wish: RoundsWish & Processless): Promise<ControlPlane> {
  const jobs = Math.round(JOBS * wish.part);
  const contestant = (name: string, perOrder: number): Contestant<ControlPlaneRound> => ({
    name,
    run: () => runProcessless(wish, jobs, perOrder),
  });
  await runProcessless(wish, WARM_JOBS, 500);
  const rounds = await runRounds(
    [contestant('arrays of 500', 500), contestant('one array', jobs)],
    wish.rounds,
    (line) => wish.say(`  ${line}`),
  );
  return { jobs, rounds };
}

async function runProcessless(
  { submitter, agent }: Processless,
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
    runJobs(submitter, processlessWork(agent, jobs, perOrder)),
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
