import type { JobView, WhyView } from '@writ/contract';
import { REFUSAL_NEXT } from './waiting-next.ts';

type Reason = NonNullable<JobView['waitsFor']>;

/** In one line, by what the server says. */
export const WAITS: Record<Reason, string> = {
  no_agent: 'no agent fits that is connected',
  busy: 'every agent that fits is busy',
  not_before: 'it may not start yet',
  approval: 'somebody must approve it',
  queue_limit: 'its queue is at its limit',
  backoff: 'it is tried again soon',
  held: 'it is held',
  queue_paused: 'its queue is paused',
  drained: 'the agents that fit are drained',
};

/** What would start it. */
export function whatStarts({ job, agents, queue, notBefore }: WhyView): string {
  const id = job.id.slice(0, 8);
  const fitting = agents.filter(({ isFit }) => isFit);
  const named = (state: string): string =>
    fitting
      .filter((agent) => agent.state === state)
      .map(({ name }) => name)
      .join(', ');
  switch (job.waitsFor) {
    case null:
      return job.ended === null ? 'It has started.' : 'It has ended.';
    case 'held':
      return `writ release ${id}`;
    case 'not_before':
      return `It starts at ${notBefore ?? 'its time'}, when an agent is free.`;
    case 'queue_paused':
      return `writ queue resume ${job.queue}`;
    case 'queue_limit':
      return `One of the ${queue?.maxRunning ?? ''} tasks of the queue ${job.queue} ends, or: writ queue set ${job.queue} --most NUMBER`;
    case 'drained':
      return `writ agent resume ${named('drained')}`;
    case 'busy':
      return `A slot becomes free on ${named('busy') || named('free') || 'an agent that fits'}.`;
    case 'approval':
      return 'Somebody who may approves it.';
    case 'backoff':
      return 'It is tried again soon.';
    case 'no_agent':
      return nobodyFits(agents, named);
  }
}

function nobodyFits(agents: WhyView['agents'], named: (state: string) => string): string {
  if (agents.length === 0) return 'An agent joins: writ invite, then writ join on that machine.';
  const away = named('away');
  if (away !== '') return `The agent ${away} connects again: on its machine, writ agent start.`;
  const [code] = agents.flatMap(({ because }) => (because === null ? [] : [because]));
  return (code !== undefined && REFUSAL_NEXT[code]) || 'An agent that fits joins: writ invite.';
}
