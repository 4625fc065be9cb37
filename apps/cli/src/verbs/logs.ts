import { readResults } from '@writ/client';
import { encodeBase64, firstIndex, taskCount, type TaskView } from '@writ/contract';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { openJob } from '../job/finish-job.ts';
import { followLogs } from '../job/follow-logs.ts';
import { LogStream, withoutReports, writeTo } from '../job/log-stream.ts';
import { watchJob } from '../job/watch-job.ts';
import { isGiven, textOption } from '../read/read-options.ts';
import { requireTasks } from '../read/read-tasks.ts';
import { resolveJob } from '../read/resolve-job.ts';
import { openSession, type Session } from '../session/open-session.ts';

const NAMES = ['stdout', 'stderr'] as const;

/** Logs of tasks that have a receipt are compared with it; of others they are what the server says. */
export async function logs(call: Call): Promise<number> {
  const { options, surroundings, output, args } = call;
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const { job, tasks } = await resolveJob(session, args[0], args[1]);
  const stop = new AbortController();
  using _interrupts = surroundings.onInterrupt(() => stop.abort());
  const verified = await openJob(session, job);
  const { array } = verified.order.order;
  requireTasks(job, array, tasks);
  const indexes = tasks ?? Array.from({ length: taskCount(array) }, (_none, at) => firstIndex(array) + at);
  const streams = new Map(indexes.map((index) => [index, openStreams(call, session, job, index)]));
  if (isGiven(options, 'follow')) {
    const ended = new AbortController();
    const followed = followLogs({
      streamsOf: (index) => {
        const shown = streams.get(index);
        return shown && NAMES.map((name) => shown[name].stream);
      },
      wait: surroundings.wait,
      signal: AbortSignal.any([stop.signal, ended.signal]),
    });
    const onTask = (task: TaskView): void => followed.task(task);
    try {
      await watchJob(session, job, { signal: stop.signal, onTask }, surroundings, output);
    } finally {
      ended.abort();
      await followed.over();
    }
    if (stop.signal.aborted) return EXIT.interrupted;
  }
  const again = isGiven(options, 'follow') ? await openJob(session, job) : verified;
  const left = new Set(indexes);
  for await (const { index, predicate } of readResults(session.client, again)) {
    const shown = streams.get(index);
    if (!shown || !left.delete(index)) continue;
    if (predicate.kind !== 'ended') continue;
    for (const name of NAMES) await shown[name].stream.finish(predicate[name], predicate.attempt);
    for (const name of NAMES) await shown[name].flush();
  }
  for (const index of left) {
    const shown = streams.get(index);
    for (const name of NAMES) await shown?.[name].stream.pump(stop.signal).catch(ignoreMissing);
    for (const name of NAMES) await shown?.[name].flush();
  }
  return EXIT.ok;
}

type Shown = Record<(typeof NAMES)[number], { stream: LogStream; flush: () => Promise<void> }>;

function openStreams(
  { output, surroundings, options }: Call,
  { client }: Session,
  job: string,
  index: number,
): Shown {
  const streamOf = (name: (typeof NAMES)[number]): Shown['stdout'] => {
    const show = async (bytes: Uint8Array): Promise<void> => {
      if (output.form === 'json')
        output.event({ is: 'log', index, stream: name, base64: encodeBase64(bytes) });
      else await writeTo(surroundings[name], bytes);
    };
    const sink = isGiven(options, 'raw') ? { show, flush: async () => undefined } : withoutReports(show);
    return { stream: new LogStream(client, job, index, name, sink.show), flush: sink.flush };
  };
  return { stdout: streamOf('stdout'), stderr: streamOf('stderr') };
}

/** A task that never started has no log. */
function ignoreMissing(error: unknown): void {
  if ((error as { code?: unknown }).code !== 'not_found') throw error;
}
