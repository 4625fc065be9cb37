import { ClientError, readResults, readVerifiedJob } from '@writ/client';
import { API_ROUTES, check, ServerView, type AgentView } from '@writ/contract';
import { signOrder } from '@writ/trust';
import { isProgram } from '@writ/testkit';
import { digestOf } from '@writ/trust/digest';
import { countSyncs } from './count-syncs.ts';
import { orderOf, runOne, signJob, type Submitter } from './run-jobs.ts';

/** What was on while these figures were measured, as the running programs say and show. */
export interface Configuration {
  readonly writ: string;
  readonly node: string;
  readonly database: string;
  readonly tls: string;
  readonly agents: readonly {
    readonly name: string;
    readonly slots: number;
    readonly profiles: readonly string[];
  }[];
  readonly orders: string;
  readonly receipts: string;
  readonly output: string;
}

/**
 * Figures without one of these would be figures of another program.
 * @throws Error that names everything that is off.
 */
export async function checkConfiguration(
  submitter: Submitter,
  say: (line: string) => void,
): Promise<Configuration> {
  const off: string[] = [];
  const before = await readServer(submitter);
  const { items } = await submitter.client.listAgents({ limit: 500 });
  const refused = await refusesForged(submitter);
  if (!refused) off.push('the server took an order whose signature is wrong');
  const isCaptured = await returnsOutput(submitter, items, off);
  const syncs = await syncsOf(submitter, items, say);
  const server = await readServer(submitter);
  const { database, tls, verified } = server;
  // Submission and acceptance are durable before anybody is told of them.
  if (syncs.count !== undefined && syncs.count < 2 * syncs.jobs) {
    off.push(`the server synced ${syncs.count} times for ${syncs.jobs} jobs: it does not commit with FULL`);
  }
  if (server.links < items.filter((agent) => agent.isConnected).length)
    off.push(`only ${server.links} links are up`);
  if (tls.seen.some((version) => version !== 'TLSv1.3') || tls.seen.length === 0) {
    off.push(`links speak ${tls.seen.join(', ') || 'no TLS'}`);
  }
  if (tls.tickets) off.push('TLS tickets are on');
  if (!submitter.client.server.url.startsWith('https://')) off.push('orders are not sent over TLS');
  if (verified.orders <= before.verified.orders) off.push('the server verified no order');
  if (verified.receipts <= before.verified.receipts) off.push('the server verified no receipt');
  if (off.length > 0) throw new Error(`this is not what is to be measured: ${off.join('; ')}`);
  return {
    writ: server.writ,
    node: server.node,
    database: `${database}; ${syncs.count === undefined ? 'whether it commits with FULL could not be seen: strace is not to be had' : `${syncs.count} syncs of the disk for ${syncs.jobs} single jobs`}`,
    tls: `${tls.seen.join(', ')} on links, tickets off; orders sent over TLS with a token`,
    agents: items.map(({ name, slots, profiles }) => ({
      name,
      slots,
      profiles: profiles.map(({ profile }) => profile),
    })),
    orders: 'signed (Ed25519); a forged one was refused',
    receipts: 'signed by the identity key; one was verified here',
    output: isCaptured ? 'captured and returned; the digest in the receipt was compared' : 'not captured',
  };
}

const SYNCED_JOBS = 5;

async function syncsOf(
  submitter: Submitter,
  agents: readonly AgentView[],
  say: (line: string) => void,
): Promise<{ readonly count: number | undefined; readonly jobs: number }> {
  const { cluster } = submitter;
  const program = cluster.server.processes().findLast((one) => isProgram(one, 'server'));
  const [agent] = agents;
  if (!program || !agent) throw new Error('there is no server or no agent to look at');
  const profile = agent.profiles[0]?.profile ?? 'strict';
  const work = async (): Promise<void> => {
    for (let job = 0; job < SYNCED_JOBS; job += 1) {
      await runOne(
        submitter,
        signJob(cluster, { agent: agent.identity, profile, argv: ['/bin/true'] }, { is: 'one' }),
      );
    }
  };
  return { count: await countSyncs(program.pid, work, say), jobs: SYNCED_JOBS };
}

const serverCheck = check(ServerView);

export async function readServer({ client: { server } }: Submitter): Promise<ServerView> {
  const [method, path] = API_ROUTES.readServer;
  const answer = await server.fetch(server.url + path, {
    method,
    headers: { accept: 'application/json', authorization: `Bearer ${server.token ?? ''}` },
  });
  const said: unknown = await answer.json();
  if (serverCheck.is(said)) return said;
  throw new Error(`${method} ${path} answered ${answer.status}, and not what it runs with`);
}

/** Whether the server refuses an order whose signature is wrong. */
export async function refusesForged({ client, cluster }: Submitter): Promise<boolean> {
  const order = orderOf(cluster, { argv: ['/bin/true'] });
  const { envelope } = signOrder(order, cluster.key.signer);
  const [signature] = envelope.signatures;
  const forged = { ...envelope, signatures: [{ ...signature, sig: `${'A'.repeat(86)}==` }] };
  try {
    await client.submitJob(forged as typeof envelope, order.job);
    return false;
  } catch (error) {
    if (error instanceof ClientError && error.status !== undefined && error.status < 500) return true;
    throw error;
  }
}

async function returnsOutput(
  submitter: Submitter,
  agents: readonly AgentView[],
  off: string[],
): Promise<boolean> {
  const { client, cluster } = submitter;
  let isCaptured = agents.length > 0;
  for (const agent of agents) {
    const profile = agent.profiles[0]?.profile ?? 'strict';
    const order = signJob(
      cluster,
      { agent: agent.identity, profile, argv: ['/bin/echo', 'captured'] },
      { is: 'one' },
    );
    await runOne(submitter, order);
    const verified = await readVerifiedJob(client, {
      job: order.job,
      sets: cluster.sets,
      kept: order.envelope,
    });
    for await (const { predicate } of readResults(client, verified)) {
      const isSigned = predicate.stdout.digest === digestOf(Buffer.from('captured\n'));
      const log = await client.readLog(order.job, 0, 'stdout');
      const isReturned = (await new Response(log.body).text()) === 'captured\n';
      if (!isSigned || !isReturned) off.push(`${agent.name} does not return output`);
      if (predicate.profile !== profile) off.push(`${agent.name} ran ${predicate.profile}, not ${profile}`);
      isCaptured &&= isSigned && isReturned;
    }
  }
  return isCaptured;
}
