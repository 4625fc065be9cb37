import { DEFAULTS, type Order } from '@writ/contract';
import type { QueueRecord } from '@writ/store';
import { ServerError } from '../server-error.ts';
import { listAdmitted } from './list-admitted.ts';
import type { PeopleParts } from './people-parts.ts';

export const DEFAULT_QUEUE = DEFAULTS.queue;

/** What holds for a queue that nobody has set. */
export const unsetQueue = (name: string): QueueRecord => ({
  name,
  isPaused: false,
  maxRunning: null,
  priority: 0,
  people: null,
  keepSeconds: null,
});

/** Admissions change seldom, and to read them all is dear. */
const NAMES_MS = 5_000;

/** The queues that agents are admitted for by name, connected or not. */
export function queueNamesWith(
  parts: Pick<PeopleParts, 'store' | 'cluster' | 'clock'>,
): () => Promise<ReadonlySet<string>> {
  let names: Promise<ReadonlySet<string>> | undefined;
  let until = 0;
  return async () => {
    if (!names || parts.clock.now() >= until) {
      until = parts.clock.now() + NAMES_MS;
      names = listAdmitted(parts).then((all) => new Set(all.flatMap(({ queues }) => queues)));
      names.catch(() => (names = undefined));
    }
    return await names;
  };
}

/**
 * A queue is there when somebody has set it or an agent is admitted for it by name. Others are refused, because a job
 * with a slip in the name of its queue would wait for ever.
 */
export async function findQueue(
  parts: Pick<PeopleParts, 'dispatch'> & { readonly queueNames: () => Promise<ReadonlySet<string>> },
  order: Order,
): Promise<QueueRecord> {
  const { dispatch } = parts;
  const name = order.queue;
  const queue = dispatch.queue(name);
  if (queue && queue.people && !queue.people.includes(order.person))
    throw new ServerError('queue.forbidden', `The queue ${name} is for others. See: writ queue list.`);
  if (queue) return queue;
  if (name === DEFAULT_QUEUE || dispatch.servesByName(name)) return unsetQueue(name);
  if ((await parts.queueNames()).has(name)) return unsetQueue(name);
  throw new ServerError(
    'queue.unknown',
    `There is no queue ${name}. See “writ queue list”, or make it: writ queue set ${name}.`,
    [{ pointer: '/order/queue', detail: name }],
  );
}
