import { setTimeout as sleep } from 'node:timers/promises';
import { buildOrder, followJob, type OrderWish, type Steering, submitJob, type Client } from '@writ/client';
import { newId, setRef, signOrder } from '@writ/trust';
import type { Envelope, Order } from '@writ/contract';
import type { Cluster } from '@writ/testkit';

/** Orders signed by the person of a cluster and sent over TLS with a token. */
export interface Submitter {
  readonly client: Client;
  readonly cluster: Cluster;
}

export interface JobsWish {
  /** Identity key of the one agent that may run them. */
  readonly agent: string;
  readonly profile: Order['profile'];
  readonly argv: readonly string[];
  readonly jobs: number;
  /** Tasks in one order. */
  readonly perOrder: number;
}

const never = new AbortController().signal;
const wait = (milliseconds: number): Promise<void> => sleep(milliseconds);
const LOOK_MS = 100;

/**
 * Submits arrays and waits until every task has an accepted result. Signing and sending the orders is in the time; the
 * end is seen by asking ten times a second: asking more often would be most of what is measured.
 * @returns milliseconds.
 */
export async function runJobs(submitter: Submitter, wish: JobsWish): Promise<number> {
  const start = performance.now();
  await awaitJobs(submitter, await submitJobs(submitter, wish));
  return performance.now() - start;
}

/** @returns the jobs, one for each order. */
export async function submitJobs(
  { client, cluster }: Submitter,
  wish: JobsWish,
  steering: Steering = {},
): Promise<string[]> {
  const jobs: string[] = [];
  for (let from = 0; from < wish.jobs; from += wish.perOrder) {
    const to = Math.min(wish.jobs, from + wish.perOrder) - 1;
    const order = signJob(cluster, wish, { is: 'range', from, to });
    await submitJob(client, order, { signal: never, wait, steering });
    jobs.push(order.job);
  }
  return jobs;
}

export async function awaitJobs({ client }: Submitter, jobs: readonly string[]): Promise<void> {
  for (const job of jobs) {
    let view = await client.readJob(job);
    while (view.ended === null) {
      await sleep(LOOK_MS);
      view = await client.readJob(job);
    }
    if (view.counts.succeeded !== view.tasks) {
      throw new Error(
        `job ${job}: ${view.counts.succeeded} of ${view.tasks} tasks succeeded: ${view.because}`,
      );
    }
  }
}

/** Sends one signed job and waits for it. @returns milliseconds from before it is sent to the event that it has ended. */
export async function runOne({ client }: Submitter, order: SignedJob): Promise<number> {
  const start = performance.now();
  await submitJob(client, order, { signal: never, wait });
  for await (const { event } of followJob(client, order.job, { signal: never, wait })) {
    if (event.is !== 'job' || event.job.ended === null) continue;
    if (event.job.state !== 'succeeded') {
      throw new Error(`job ${order.job}: ${event.job.state} ${event.job.because}`);
    }
    return performance.now() - start;
  }
  throw new Error(`the events of job ${order.job} ended before the job did`);
}

export interface SignedJob {
  readonly envelope: Envelope;
  readonly digest: string;
  readonly job: string;
}

/** An order that is not signed yet, by the person of the cluster. */
export const orderOf = ({ sets, key }: Cluster, wish: OrderWish): Order =>
  buildOrder(wish, {
    cluster: sets.cluster,
    set: setRef(sets.newest),
    person: key.person,
    key: key.signer.key,
    job: newId((bytes) => crypto.getRandomValues(bytes)),
    now: Date.now(),
  });

export function signJob(
  cluster: Cluster,
  wish: Pick<JobsWish, 'agent' | 'profile' | 'argv'>,
  array: Order['array'],
): SignedJob {
  const { argv, profile, agent } = wish;
  const order = orderOf(cluster, { argv, profile, agents: [agent], array });
  return { ...signOrder(order, cluster.key.signer), job: order.job };
}
