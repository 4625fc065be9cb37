import { cpuOf, isProgram } from '@writ/testkit';
import { type Processless, processlessWork } from '../control-plane/processless-work.ts';
import { awaitJobs, submitJobs } from '../run-jobs.ts';
import { type Contestant, type RoundsWish, runRounds } from '../run-rounds.ts';
import { percentile } from '../statistics.ts';

export interface DepthRound {
  readonly perSecond: number;
  /** Of the server, from the first order to the last receipt. */
  readonly cpuUsPerJob: number;
  /** One order of 500 tasks. */
  readonly submitMs: number;
  readonly firstPageMs: number;
  readonly middlePageMs: number;
  readonly tasksPageMs: number;
  readonly memoryMib: number;
}

export interface Depth {
  readonly tasks: number;
  readonly rounds: ReadonlyMap<string, readonly DepthRound[]>;
  readonly shallow: string;
  readonly deep: string;
}

/** A server with so many tasks that nobody gets to. */
export interface Waters extends Processless {
  readonly pending: number;
}

const TASKS = 20_000;
const PER_ORDER = 500;
const PER_PENDING_ORDER = 100;
const PAGE = 5;
const ASKED = 40;

/** G6: the same work above few and above many other tasks that wait for the same agent. */
export async function measureDepth(
  wish: RoundsWish & { readonly shallow: Waters; readonly deep: Waters },
): Promise<Depth> {
  const { shallow, deep, say } = wish;
  const tasks = Math.round(TASKS * wish.part);
  const contestants: Contestant<DepthRound>[] = [];
  for (const waters of [shallow, deep]) {
    say(`  ${waters.pending} tasks are submitted, to be kept waiting`);
    await fill(waters);
    const cursor = await findMiddle(waters);
    await runAbove(waters, TASKS / 4);
    contestants.push({ name: nameOf(waters), run: () => measureAbove(waters, tasks, cursor) });
  }
  const rounds = await runRounds(contestants, wish.rounds, (line) => say(`  ${line}`));
  return { tasks, rounds, shallow: nameOf(shallow), deep: nameOf(deep) };
}

const nameOf = ({ pending }: Waters): string => `${pending} pending`;

/** The same agent may run them, and everything that is measured comes before them. */
async function fill(waters: Waters): Promise<void> {
  const { submitter, pending } = waters;
  await submitJobs(submitter, processlessWork(waters.agent, pending, PER_PENDING_ORDER), { priority: -1 });
}

async function findMiddle({ submitter: { client }, pending }: Waters): Promise<string> {
  const jobs = pending / PER_PENDING_ORDER;
  let cursor: string | undefined;
  for (let left = Math.floor(jobs / 2); left > 0; left -= 500) {
    const page = await client.listJobs({ state: 'waiting', limit: Math.min(500, left), cursor });
    cursor = page.next ?? cursor;
  }
  if (cursor === undefined) throw new Error(`there are too few jobs among ${pending} pending tasks`);
  return cursor;
}

async function measureAbove(waters: Waters, tasks: number, cursor: string): Promise<DepthRound> {
  const { submitter } = waters;
  const { client, cluster } = submitter;
  const done = await runAbove(waters, tasks);
  const state = 'waiting';
  const { items } = await client.listJobs({ state, limit: PAGE });
  const job = items[0]?.id;
  if (job === undefined || items.length !== PAGE) throw new Error('the pending jobs do not wait');
  const program = cluster.server.processes().findLast((one) => isProgram(one, 'server'));
  return {
    ...done,
    firstPageMs: await timeOf(() => client.listJobs({ state, limit: PAGE })),
    middlePageMs: await timeOf(() => client.listJobs({ state, limit: PAGE, cursor })),
    tasksPageMs: await timeOf(() => client.listTasks(job, { limit: 50 })),
    memoryMib: (program?.memoryBytes ?? 0) / 2 ** 20,
  };
}

async function timeOf(ask: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let time = 0; time < ASKED; time += 1) {
    const start = performance.now();
    await ask();
    took.push(performance.now() - start);
  }
  return percentile(took, 50);
}

async function runAbove(
  waters: Waters,
  tasks: number,
): Promise<Pick<DepthRound, 'perSecond' | 'cpuUsPerJob' | 'submitMs'>> {
  const { submitter, agent } = waters;
  const { server } = submitter.cluster;
  const before = cpuOf(server.processes());
  const start = performance.now();
  const jobs = await submitJobs(submitter, processlessWork(waters.agent, tasks, PER_ORDER));
  const submitted = performance.now();
  // It may not ask for a task more: the next would be one of those that are to wait.
  agent.give(tasks);
  await Promise.race([agent.failed, awaitJobs(submitter, jobs)]);
  return {
    perSecond: (tasks * 1000) / (performance.now() - submitted),
    cpuUsPerJob: ((cpuOf(server.processes()) - before) * 1000) / tasks,
    submitMs: (submitted - start) / jobs.length,
  };
}
