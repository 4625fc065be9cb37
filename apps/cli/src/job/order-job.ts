import {
  allOf,
  buildOrder,
  findAgent,
  type OrderWish,
  submitJob,
  type VariantWish,
  verifyAdmissions,
} from '@writ/client';
import { collectInputs, type InputSource, uploadFiles } from '@writ/client/node';
import { DEFAULTS, type Envelope, type JobView } from '@writ/contract';
import { type HeldSets, newId, type OpenedOrder, openOrder, setRef, signOrder } from '@writ/trust';
import { CliError } from '../cli-error.ts';
import type { Session } from '../session/open-session.ts';
import type { Output } from '../show/output.ts';
import { bytesText } from '../show/quantities.ts';
import type { Surroundings } from '../surroundings.ts';
import type { JobWish } from './read-wish.ts';

export interface OrderedJob {
  readonly view: JobView;
  readonly order: OpenedOrder;
  readonly envelope: Envelope;
}

/** Inputs judged, agents resolved, inputs sent, order signed, kept, sent: in this order. */
export async function orderJob(
  session: Session,
  wish: JobWish,
  surroundings: Surroundings,
  output: Output,
  signal: AbortSignal,
): Promise<OrderedJob> {
  const { client, people, context } = session;
  const collected = await collectAll(surroundings.cwd, wish);
  const key = await session.key();
  const agents = await resolveAgents(session, wish);
  if (collected.sources.length > 0) {
    let sent = 0;
    const total = collected.sources.reduce((sum, { size }) => sum + size, 0);
    const onBytes = (bytes: number): void =>
      output.progress(`sending inputs: ${bytesText((sent += bytes))} of ${bytesText(total)}`);
    const { files, bytes } = await uploadFiles(client, collected.sources, {
      signal,
      wait: surroundings.wait,
      onBytes,
    });
    output.endProgress();
    if (files > 0)
      output.note(
        output.paint('dim', `sent ${files} of ${collected.sources.length} inputs, ${bytesText(bytes)}`),
      );
  }
  const order = buildOrder(
    { ...wish.order, ...collected.wish, agents },
    {
      cluster: session.sets.cluster,
      set: setRef(session.sets.newest),
      person: key.person,
      key: key.signer.key,
      job: newId(surroundings.random),
      now: surroundings.now(),
    },
  );
  const { envelope, digest } = signOrder(order, key.signer);
  await people.writeOrder(context.cluster, order.job, envelope);
  let isTold = false;
  const view = await submitJob(
    client,
    { envelope, digest, job: order.job },
    {
      signal,
      steering: wish.steering,
      wait: async (milliseconds, stopped) => {
        if (!isTold) output.note(output.paint('dim', 'no answer from the server: trying again'));
        isTold = true;
        await surroundings.wait(milliseconds, stopped);
      },
    },
  );
  return { view, envelope, order: openOrder(envelope, session.sets) };
}

/** Of several variants each has its own inputs beside those of all; bytes that they share are sent once. */
async function collectAll(
  cwd: string,
  { inputs, variants, order }: JobWish,
): Promise<{ readonly wish: Pick<OrderWish, 'inputs' | 'variants'>; readonly sources: InputSource[] }> {
  if (variants === null) {
    const collected = await collectInputs(cwd, inputs);
    return { wish: { inputs: collected.inputs }, sources: collected.sources };
  }
  const sources = new Map<string, InputSource>();
  const wishes: VariantWish[] = [];
  for (const { os, arch, command, in: own = [], env = {} } of variants) {
    const collected = await collectInputs(cwd, [...inputs, ...own]);
    for (const source of collected.sources) sources.set(source.digest, source);
    const set = Object.entries(env).map(([name, value]) => ({ name, value }));
    wishes.push({
      os,
      arch,
      argv: command,
      variables: [...(order.variables ?? []), ...set],
      inputs: collected.inputs,
    });
  }
  return { wish: { variants: wishes, inputs: undefined }, sources: [...sources.values()] };
}

/** Names become identity keys through verified admissions; the server only hints which agent is free. */
async function resolveAgents(session: Session, wish: JobWish): Promise<string[]> {
  if (wish.agents.length === 0 && !wish.isOnce) return [];
  const trust = await session.client.readTrust();
  const sets = await session.advance(trust);
  if (wish.agents.length > 0) return wish.agents.map((name) => findAgent(sets, trust, name).identity);
  return [await chooseFreeAgent(session, sets, wish)];
}

async function chooseFreeAgent({ client }: Session, sets: HeldSets, wish: JobWish): Promise<string> {
  const trust = await client.readTrust();
  const admitted = new Map(
    [...verifyAdmissions(sets, trust.admissions).values()].map(({ admitted: agent }) => [
      agent.identity,
      agent,
    ]),
  );
  const queue = wish.order.queue ?? 'default';
  const labels = wish.order.labels ?? [];
  const profile = wish.order.profile ?? DEFAULTS.profile;
  const levels = ['bare', 'user', 'strict'];
  let second: string | undefined;
  for await (const agent of allOf((asked) => client.listAgents(asked))) {
    const word = admitted.get(agent.identity);
    if (!word || agent.state !== 'active' || !agent.isConnected) continue;
    const fits =
      (word.queues.includes('*') || word.queues.includes(queue)) &&
      labels.every(({ name, value }) =>
        word.labels.some((label) => label.name === name && (value === null || label.value === value)),
      ) &&
      agent.profiles.some((offer) => levels.indexOf(offer.profile) >= levels.indexOf(profile));
    if (!fits) continue;
    if (!agent.isBusy) return agent.identity;
    second ??= agent.identity;
  }
  if (second !== undefined) return second;
  throw new CliError(
    'selector.none',
    'No agent that a signer admitted is connected and fits: --once needs one.',
    'See: writ agent list',
  );
}
