import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cancelJob } from '@writ/client';
import { writeOutputs } from '@writ/client/node';
import { DEFAULTS, type JobView, type TaskView } from '@writ/contract';
import { encodeBase64 } from '@writ/contract';
import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { WAITS } from '../explain/explain-waiting.ts';
import { explainResult, isPlainExit } from '../job/explain-result.ts';
import { type FinishedJob, finishJob, persist } from '../job/finish-job.ts';
import { followLogs } from '../job/follow-logs.ts';
import { LogStream, withoutReports, writeTo } from '../job/log-stream.ts';
import { type OrderedJob, orderJob } from '../job/order-job.ts';
import { readWish } from '../job/read-wish.ts';
import { watchJob } from '../job/watch-job.ts';
import { confirm, mayAsk } from '../read/ask.ts';
import { isGiven, textOption } from '../read/read-options.ts';
import { openSession, type Session } from '../session/open-session.ts';
import { printable } from '../show/printable.ts';
import { secondsText } from '../show/quantities.ts';
import { answerSubmitted } from './submit.ts';

/** submit → follow → verify → bring back → the job's own exit code. */
export async function run(call: Call): Promise<number> {
  const { options, output, surroundings } = call;
  const wish = await readWish(call, DEFAULTS.runNotAfterSeconds);
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const stop = new AbortController();
  const started = surroundings.now();
  const ordered = await orderJob(session, wish, surroundings, output, stop.signal);
  if (isGiven(options, 'detach')) {
    answerSubmitted(call, ordered);
    return EXIT.ok;
  }
  output.event({ is: 'submitted', job: ordered.view.id, digest: ordered.order.digest });
  if (output.form === 'ids') output.line(ordered.view.id);
  const over = new AbortController();
  const asking = askOnInterrupt(call, session, ordered, { stop, over: over.signal });
  using _interrupts = surroundings.onInterrupt(asking.tell);
  const watched = await watchWithLogs(call, session, ordered, { signal: stop.signal, over, asking });
  if (watched === undefined) throw interrupted(ordered.view.id);
  const finished = await persist(
    () => finishJob(session, ordered.view.id, watched.view, ordered.envelope),
    surroundings.wait,
    stop.signal,
  );
  await watched.finishLogs(finished);
  await bringBack(call, session, finished, stop.signal);
  sayEnd(call, ordered, finished, surroundings.now() - started);
  return finished.exitCode;
}

interface Watched {
  readonly view: JobView;
  /** Shows what is left of the logs; throws when they are not what was signed. */
  readonly finishLogs: (finished: FinishedJob) => Promise<void>;
}

async function watchWithLogs(
  call: Call,
  session: Session,
  ordered: OrderedJob,
  { signal, over, asking }: { signal: AbortSignal; over: AbortController; asking: Asking },
): Promise<Watched | undefined> {
  const { output, surroundings, options } = call;
  const job = ordered.view.id;
  const isOne = ordered.order.order.array.is === 'one';
  const isHeld = isGiven(options, 'verified') || !isOne;
  const sinks = openSinks(call, 0);
  const streams = (['stdout', 'stderr'] as const).map(
    (name) =>
      new LogStream(session.client, job, 0, name, async (bytes) => {
        await asking.answered();
        await sinks[name].show(bytes);
      }),
  );
  const followed = followLogs({
    streamsOf: () => (isHeld ? undefined : streams),
    wait: surroundings.wait,
    signal: AbortSignal.any([signal, over.signal]),
  });
  const told = new TellProgress(call, ordered);
  const onTask = (task: TaskView): void => {
    if (!asking.isOpen()) told.task(task);
    output.event({ is: 'task', task });
    followed.task(task);
  };
  let view: JobView | undefined;
  try {
    view = await watchJob(
      session,
      job,
      { signal, onTask, onJob: (seen) => told.job(seen) },
      surroundings,
      output,
    );
  } finally {
    over.abort();
    await followed.over();
    output.endProgress();
  }
  if (view === undefined) return undefined;
  const finishLogs = async (finished: FinishedJob): Promise<void> => {
    if (isHeld) {
      await showHeldLogs(call, session, finished);
      return;
    }
    const [result] = finished.results;
    if (result === undefined || result.predicate.kind !== 'ended') return;
    const { predicate } = result;
    for (const [at, name] of (['stdout', 'stderr'] as const).entries()) {
      await streams[at]?.finish(predicate[name], predicate.attempt);
      await sinks[name].flush();
    }
  };
  return { view, finishLogs };
}

type Sink = ReturnType<typeof withoutReports>;

/** Bytes as the job wrote them; as events with `--json`. */
function openSinks({ output, surroundings }: Call, index: number): { stdout: Sink; stderr: Sink } {
  const sinkOf = (name: 'stdout' | 'stderr'): Sink => {
    if (output.form === 'json') {
      return withoutReports(async (bytes) =>
        output.event({ is: 'log', index, stream: name, base64: encodeBase64(bytes) }),
      );
    }
    if (output.form === 'ids') return withoutReports(async () => undefined);
    return withoutReports((bytes) => writeTo(surroundings[name], bytes));
  };
  return { stdout: sinkOf('stdout'), stderr: sinkOf('stderr') };
}

/** First to the disk, then compared, then shown: nothing unverified reaches a reader. */
async function showHeldLogs(call: Call, session: Session, finished: FinishedJob): Promise<void> {
  for (const { index, predicate } of finished.results) {
    if (predicate.kind !== 'ended') continue;
    const sinks = openSinks(call, index);
    for (const name of ['stdout', 'stderr'] as const) {
      const file = path.join(tmpdir(), `.writ-${predicate.job}-${index}-${name}-${call.surroundings.pid}`);
      try {
        await using handle = await open(file, 'wx+', 0o600);
        const stream = new LogStream(
          session.client,
          predicate.job,
          index,
          name,
          async (bytes) => void (await handle.write(bytes)),
        );
        await stream.finish(predicate[name], predicate.attempt);
        for await (const chunk of handle.createReadStream({ start: 0, autoClose: false }))
          await sinks[name].show(chunk as Buffer);
        await sinks[name].flush();
      } finally {
        await rm(file, { force: true });
      }
    }
  }
}

async function bringBack(
  call: Call,
  session: Session,
  { results }: FinishedJob,
  signal: AbortSignal,
): Promise<void> {
  const { options, surroundings, output } = call;
  const folder = path.resolve(surroundings.cwd, textOption(options, 'dir') ?? '.');
  const isArray = results.length > 1 || results.some(({ index }) => index > 0);
  for (const { index, predicate } of results) {
    if (predicate.outputs.length === 0) continue;
    const target = isArray ? path.join(folder, String(index)) : folder;
    const tag = `${predicate.job}-${index}-${surroundings.pid}`;
    const files = await writeOutputs(session.client, predicate.outputs, target, {
      signal,
      wait: surroundings.wait,
      umask: surroundings.umask,
      tag,
    });
    for (const file of files)
      output.note(output.paint('dim', `wrote ${printable(path.relative(surroundings.cwd, file) || file)}`));
  }
}

function sayEnd(
  { output }: Call,
  ordered: OrderedJob,
  { exitCode, tasks }: FinishedJob,
  milliseconds: number,
): void {
  output.event({
    is: 'result',
    job: ordered.view.id,
    digest: ordered.order.digest,
    verified: true,
    exitCode,
    tasks,
  });
  for (const task of tasks.filter((candidate) => !isPlainExit(candidate)).slice(0, 5)) {
    for (const line of explainResult(task)) output.note(line);
  }
  if (tasks.some((task) => isPlainExit(task) && (task.exitCode === 126 || task.exitCode === 127)))
    output.note(
      '126 and 127 mostly mean: no such command, or not executable. A job sees the programs of its machine and what --in names.',
    );
  const failed = tasks.filter((task) => task.exitCode !== 0).length;
  const many = tasks.length > 1;
  const word =
    failed === 0
      ? output.paint('green', 'succeeded')
      : output.paint('red', many ? `${failed} of ${tasks.length} tasks failed` : `failed with ${exitCode}`);
  output.note(
    `${word} in ${secondsText(milliseconds)} · ${many ? `${tasks.length} receipts` : 'receipt'} verified`,
  );
}

/** `job 7f3k… queued → ana-pc → running`, once; for arrays a count. */
class TellProgress {
  readonly #call: Call;
  readonly #ordered: OrderedJob;
  #isTold = false;
  #isWarned = false;

  constructor(call: Call, ordered: OrderedJob) {
    this.#call = call;
    this.#ordered = ordered;
  }

  task(task: TaskView): void {
    const { output } = this.#call;
    const id = this.#ordered.view.id;
    if (task.progress !== null && task.state === 'running') {
      const share =
        task.progress.thousandths === null ? '' : `${(task.progress.thousandths / 10).toFixed(1)} % `;
      output.progress(`${share}${printable(task.progress.message)}`);
    }
    if (this.#isTold || task.agent === null || this.#ordered.order.order.array.is !== 'one') return;
    this.#isTold = true;
    output.note(output.paint('dim', `job ${id} queued → ${printable(task.agent)} → running`));
  }

  job(job: JobView): void {
    const { output } = this.#call;
    if (job.tasks > 1) {
      const { succeeded, failed, refused, running } = job.counts;
      output.progress(
        `job ${job.id.slice(0, 8)}… ${succeeded} of ${job.tasks} done, ${running} running${failed + refused > 0 ? `, ${failed + refused} failed` : ''}`,
      );
    } else if (job.waitsFor === 'no_agent' && !this.#isWarned) {
      this.#isWarned = true;
      output.note(`job ${job.id} waits: ${WAITS.no_agent} · see: writ agent list`);
    } else if (!this.#isTold && job.state === 'waiting' && job.waitsFor !== null) {
      output.progress(`job ${job.id.slice(0, 8)}… waits: ${WAITS[job.waitsFor]}`);
    }
  }
}

/** First Ctrl-C: ask whether to cancel. Second, or where nobody can be asked: leave the job alone and end. */
function askOnInterrupt(
  call: Call,
  session: Session,
  ordered: OrderedJob,
  { stop, over }: { stop: AbortController; over: AbortSignal },
): Asking {
  const { surroundings, options, output } = call;
  let isAsked = false;
  let isOpen = false;
  let answered = Promise.resolve();
  const tell = (): void => {
    if (isAsked || !mayAsk(surroundings, options)) {
      stop.abort();
      return;
    }
    isAsked = true;
    isOpen = true;
    const closing = Promise.withResolvers<void>();
    answered = closing.promise;
    output.endProgress();
    void (async (): Promise<void> => {
      const isMeant = await confirm(surroundings, options, `Cancel job ${ordered.view.id}?`, over).finally(
        () => {
          isOpen = false;
          closing.resolve();
        },
      );
      // It has ended meanwhile: what came out is shown.
      if (over.aborted) return;
      if (!isMeant) {
        stop.abort();
        return;
      }
      const by = await session.key();
      await cancelJob(session.client, {
        order: ordered.order,
        sets: session.sets,
        indexes: null,
        how: 'terminate',
        now: surroundings.now(),
        by,
      });
      output.note('cancelling; Ctrl-C once more leaves it to end by itself');
    })().catch((error: unknown) => {
      output.warn(
        `The job could not be cancelled: ${printable(error instanceof Error ? error.message : String(error))}`,
      );
      stop.abort();
    });
  };
  return { tell, isOpen: () => isOpen, answered: () => answered };
}

interface Asking {
  /** At each Ctrl-C. */
  readonly tell: () => void;
  /** While the question stands nothing else is written on the terminal. */
  readonly isOpen: () => boolean;
  /** Resolves when none stands. */
  readonly answered: () => Promise<void>;
}

const interrupted = (job: string): CliError =>
  new CliError(
    'interrupted',
    `Left job ${job} alone: it goes on.`,
    `writ wait ${job}, or writ cancel ${job}`,
  );
