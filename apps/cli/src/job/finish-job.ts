import {
  exitCodeOf,
  isPassing,
  readResults,
  readVerifiedJob,
  type VerifiedJob,
  type VerifiedResult,
} from '@writ/client';
import { type Envelope, type JobView, taskCount } from '@writ/contract';
import { CliError } from '../cli-error.ts';
import type { Session } from '../session/open-session.ts';
import { type TaskResult, taskResult } from './result-document.ts';

export interface FinishedJob {
  readonly verified: VerifiedJob;
  readonly exitCode: number;
  readonly tasks: readonly TaskResult[];
  readonly results: readonly VerifiedResult[];
}

/** Order, pins and trust documents of a job; the bytes kept here go before those that the server shows. */
export async function openJob(session: Session, job: string, envelope?: Envelope): Promise<VerifiedJob> {
  const kept = envelope ?? (await session.people.readOrder(session.context.cluster, job));
  const verified = await readVerifiedJob(session.client, { job, sets: session.sets, kept });
  await session.keep(verified.sets);
  return verified;
}

/**
 * The verified end of a job. Its exit code is that of the first task, by index, that did not succeed.
 * @throws ClientError when a receipt does not verify, CliError `job.no_result` when a task has none
 */
export async function finishJob(
  session: Session,
  job: string,
  view: JobView,
  envelope?: Envelope,
): Promise<FinishedJob> {
  const verified = await openJob(session, job, envelope);
  const results: VerifiedResult[] = [];
  for await (const result of readResults(session.client, verified)) results.push(result);
  results.sort((a, b) => a.index - b.index);
  const missing = taskCount(verified.order.order.array) - results.length;
  const failed = results.find(({ predicate }) => exitCodeOf(predicate) !== 0);
  if (missing > 0) throw noResult(view, missing);
  return {
    verified,
    results,
    tasks: results.map(taskResult),
    exitCode: failed ? exitCodeOf(failed.predicate) : 0,
  };
}

const STATES: Partial<Record<JobView['state'], [why: string, next: string]>> = {
  cancelled: ['it was cancelled before it ended', 'To run it after all, submit it again.'],
  expired: [
    'nobody could start it in time',
    'Submit again, with a later --not-after if need be: writ agent list shows who could take it.',
  ],
  unknown: [
    'its one agent vanished, and nobody knows whether it ran',
    'Decide whether it may run once more, then submit it again.',
  ],
  failed: [
    'its agent vanished as often as the order allows attempts',
    'Is the machine up? writ agent list. Then submit again.',
  ],
  refused: ['no agent may start it', 'See the reasons: writ status.'],
  succeeded: ['it succeeded, and shows no signed receipt', 'Do not trust this server until you know why.'],
};

export function noResult(view: JobView, missing: number): CliError {
  const [why, next] = STATES[view.state] ?? [`it is ${view.state}`, 'Wait for it: writ wait.'];
  const what =
    view.tasks > 1 ? `${missing} of ${view.tasks} tasks of job ${view.id} have` : `Job ${view.id} has`;
  return new CliError('job.no_result', `${what} no result. The server says that ${why}.`, next);
}

/** Asks again while the server restarts. */
export async function persist<T>(
  ask: () => Promise<T>,
  wait: (milliseconds: number, signal?: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await ask();
    } catch (error) {
      if (signal.aborted || failures >= 8 || !isPassing(error)) throw error;
      await wait(100 * 2 ** failures, signal);
    }
  }
}
