import { descriptionCheck, PAYLOAD_TYPES, type Order, type WhyView } from '@writ/contract';
import type { AgentRecord, JobRecord } from '@writ/store';
import { checkMachine, judgeAdmission, readUnverified, TrustError } from '@writ/trust';
import { factsOf } from '../machine-facts.ts';
import { jobView } from './job-views.ts';
import { judgeQuietly } from './list-admitted.ts';
import { whenOrNull } from './paging.ts';
import type { PeopleParts } from './people-parts.ts';

const MOST_AGENTS = 200;

type AgentWhy = WhyView['agents'][number];

/** What a job waits for: asks every agent's own checks, as the dispatch does. */
export async function whyWaiting(parts: PeopleParts, job: JobRecord, order: Order): Promise<WhyView> {
  const { items } = await parts.store.trust.listAgents({ after: null, limit: MOST_AGENTS });
  const queue = parts.dispatch.queue(job.queue);
  return {
    job: jobView(parts, job),
    agents: await Promise.all(items.map(async (agent) => await judgeAgent(parts, job, order, agent))),
    queue: queue ? { isPaused: queue.isPaused, maxRunning: queue.maxRunning } : null,
    notBefore: whenOrNull(job.notBefore),
  };
}

async function judgeAgent(
  parts: PeopleParts,
  job: JobRecord,
  order: Order,
  agent: AgentRecord,
): Promise<AgentWhy> {
  const { name, identity } = agent;
  const said =
    agent.description &&
    readUnverified(agent.description, { type: PAYLOAD_TYPES.description, check: descriptionCheck });
  const link = parts.links().get(identity);
  const isBusy = link !== undefined && said !== null && link.held >= said.slots;
  const state =
    agent.state !== 'active'
      ? 'banned'
      : agent.isDrained
        ? 'drained'
        : link === undefined
          ? 'away'
          : isBusy
            ? 'busy'
            : 'free';
  const no = (because: string | null, detail: string): AgentWhy => ({
    name,
    state,
    isFit: false,
    because,
    detail,
  });
  if (!said) return no(null, 'it was never connected');
  const paper = await parts.store.trust.readAdmission(agent.admission);
  const admitted =
    paper && judgeQuietly(() => judgeAdmission(paper.envelope, paper.inviteEnvelope, parts.cluster.sets()));
  if (!admitted) return no(null, 'its admission does not count any more');
  try {
    checkMachine({ order }, factsOf(said, admitted));
  } catch (error) {
    if (error instanceof TrustError) return no(error.code, error.message.slice(0, 1000));
    throw error;
  }
  const refused = (await parts.store.jobs.listRefused(identity)).find((one) => one.job === job.id);
  if (refused) return no(refused.because, 'it has refused a task of this job');
  return { name, state, isFit: true, because: null, detail: null };
}
