import { API_ROUTES, hasEnded, type JobEvent, shape } from '@writ/contract';
import type { FastifyInstance } from 'fastify';
import { findJob, JOB_PARAMS } from './job-routes.ts';
import { nameAgentsWith, receiptView, taskView, wholeJobView } from './job-views.ts';
import { FLAG } from './paging.ts';
import type { PeopleParts } from './people-parts.ts';
import { sendGrowing } from './send-growing.ts';

const KEEP_ALIVE_MS = 15_000;
const MOST_AT_ONCE = 500;
/** Events are sent together up to here; what comes after them is read when these are on their way. */
const PIECE = 64 * 1024;

/** Server-sent events of a job: each change of a task, then the job itself, until it has ended. */
export function addJobEvents(app: FastifyInstance, parts: PeopleParts): void {
  app.get(
    API_ROUTES.followJob[1],
    {
      config: { policy: 'member', group: 'client' },
      schema: { params: JOB_PARAMS, querystring: shape({ receipts: FLAG }) },
    },
    async (request, reply) => {
      const job = await findJob(parts, (request.params as { id: string }).id);
      const withReceipts = (request.query as { receipts?: string }).receipts === '1';
      const last = Number(request.headers['last-event-id']);
      const after = Number.isSafeInteger(last) && last >= 0 ? last : 0;
      return sendGrowing(parts.followers, reply, 'text/event-stream', (signal) =>
        follow(parts, job.id, { after, withReceipts, signal }),
      );
    },
  );
}

async function* follow(
  parts: PeopleParts,
  id: string,
  {
    after,
    withReceipts,
    signal,
  }: { readonly after: number; readonly withReceipts: boolean; readonly signal: AbortSignal },
): AsyncGenerator<string> {
  const { store } = parts;
  const bell = openBell(parts, id);
  signal.addEventListener('abort', bell.close, { once: true });
  const nameOf = nameAgentsWith(parts);
  let at = after;
  try {
    for (;;) {
      bell.reset();
      // The job is read before its tasks: when it has ended, all of their changes are there.
      const job = await findJob(parts, id);
      const order = (await parts.orders.find(id))?.order ?? null;
      for (;;) {
        const tasks = await store.jobs.listChanges(id, at, MOST_AT_ONCE);
        let text = '';
        for (const task of tasks) {
          at = task.change;
          text += eventText(at, { is: 'task', task: await taskView(parts, order, task, nameOf) });
          if (withReceipts && task.receipt !== null) {
            const receipt = await store.jobs.readReceipt(id, task.index, task.receipt);
            if (receipt) text += eventText(at, { is: 'receipt', receipt: receiptView(receipt) });
          }
          if (text.length < PIECE) continue;
          yield text;
          text = '';
        }
        if (text !== '') yield text;
        if (tasks.length < MOST_AT_ONCE) break;
      }
      for (const index of bell.spoke()) {
        const task = await store.jobs.readTask(id, index);
        if (task && task.change <= at)
          yield eventText(at, { is: 'task', task: await taskView(parts, order, task, nameOf) });
      }
      at = Math.max(at, job.change);
      yield eventText(at, { is: 'job', job: await wholeJobView(parts, job) });
      if (hasEnded(job.state)) return;
      while (!(await bell.rings())) {
        if (signal.aborted) return;
        yield ': still here\n\n';
      }
    }
  } finally {
    bell.close();
  }
}

const eventText = (id: number, event: JobEvent): string => `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`;

/** Rings when something of the job changed, or a task of it said how far it is. */
function openBell({ store, progress, clock }: PeopleParts, job: string) {
  let isRung = false;
  let wake: ((isRung: boolean) => void) | null = null;
  const spoken = new Set<number>();
  const ring = (): void => {
    isRung = true;
    wake?.(true);
    wake = null;
  };
  const endChanges = store.onJobsChanged((jobs) => {
    if (jobs.includes(job)) ring();
  });
  const endProgress = progress.onSaid((changed, index) => {
    if (changed !== job) return;
    spoken.add(index);
    ring();
  });
  return {
    reset: () => void (isRung = false),
    spoke(): number[] {
      const all = [...spoken];
      spoken.clear();
      return all;
    },
    async rings(): Promise<boolean> {
      if (isRung) return true;
      const answer = new Promise<boolean>((resolve) => {
        wake = resolve;
      });
      const stop = clock.after(KEEP_ALIVE_MS, () => {
        wake?.(false);
        wake = null;
      });
      return await answer.finally(stop);
    },
    close() {
      endChanges();
      endProgress();
      wake?.(false);
      wake = null;
    },
  };
}
