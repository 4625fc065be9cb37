import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { explainResult, isPlainExit } from '../job/explain-result.ts';
import { finishJob, persist } from '../job/finish-job.ts';
import { watchJob } from '../job/watch-job.ts';
import { textOption } from '../read/read-options.ts';
import { resolveJob } from '../read/resolve-job.ts';
import { openSession } from '../session/open-session.ts';
import { parseSeconds } from '../show/quantities.ts';

export async function wait(call: Call): Promise<number> {
  const { options, output, surroundings, args } = call;
  const limit = textOption(options, 'timeout');
  const limitSeconds = limit === undefined ? undefined : parseSeconds(limit, '--timeout');
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const { job } = await resolveJob(session, args[0], undefined);
  const stop = new AbortController();
  using _interrupts = surroundings.onInterrupt(() => stop.abort());
  let isOver = false;
  if (limitSeconds !== undefined) {
    void surroundings.wait(limitSeconds * 1000, stop.signal).then(() => {
      isOver = !stop.signal.aborted;
      stop.abort();
    });
  }
  const view = await watchJob(session, job, { signal: stop.signal }, surroundings, output);
  if (view === undefined) {
    if (isOver)
      throw new CliError(
        'wait.timeout',
        `Job ${job} has not ended within ${limit}.`,
        `Wait longer: writ wait ${job}`,
      );
    throw new CliError(
      'interrupted',
      `Left job ${job} alone: it goes on.`,
      `writ wait ${job}, or writ cancel ${job}`,
    );
  }
  const { exitCode, tasks, verified } = await persist(
    () => finishJob(session, job, view),
    surroundings.wait,
    stop.signal,
  );
  stop.abort();
  for (const task of tasks.filter((candidate) => !isPlainExit(candidate)).slice(0, 5)) {
    for (const line of explainResult(task)) output.note(line);
  }
  const failed = tasks.filter((task) => task.exitCode !== 0).length;
  output.answer({
    value: { job, digest: verified.order.digest, verified: true, exitCode, tasks },
    ids: [job],
    head: ['job', 'tasks', 'failed', 'exit', 'verified'],
    rows: [[job, String(tasks.length), String(failed), String(exitCode), 'yes']],
  });
  return exitCode;
}
