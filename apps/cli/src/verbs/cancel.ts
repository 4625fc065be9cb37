import { cancelJob } from '@writ/client';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { openJob } from '../job/finish-job.ts';
import { confirm } from '../read/ask.ts';
import { isGiven, textOption } from '../read/read-options.ts';
import { requireTasks } from '../read/read-tasks.ts';
import { resolveJob } from '../read/resolve-job.ts';
import { openSession } from '../session/open-session.ts';
import { shellWords } from '../show/printable.ts';
import { CliError } from '../cli-error.ts';

export async function cancel(call: Call): Promise<number> {
  const { options, output, surroundings, args } = call;
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const { job, tasks } = await resolveJob(session, args[0], args[1]);
  const verified = await openJob(session, job);
  requireTasks(job, verified.order.order.array, tasks);
  const before = await session.client.readJob(job);
  const what = tasks === null ? `job ${job}` : `${tasks.length} tasks of job ${job}`;
  if (
    !(await confirm(surroundings, options, `Cancel ${what} (${shellWords(before.command).slice(0, 60)})?`))
  ) {
    throw new CliError('interrupted', 'Nothing was cancelled.');
  }
  const by = session.context.person === null ? undefined : await session.key();
  const view = await cancelJob(session.client, {
    order: verified.order,
    sets: session.sets,
    indexes: tasks,
    how: isGiven(options, 'kill') ? 'kill' : 'terminate',
    now: surroundings.now(),
    by,
  });
  if (by === undefined)
    output.warn(
      'No key signs here: an honest server cancels it; one that lies could still start it until its last moment.',
    );
  output.answer({
    value: { job: view.id, state: view.state, counts: view.counts, isWithdrawn: by !== undefined },
    ids: [view.id],
    head: ['job', 'state', 'withdrawn'],
    rows: [[view.id, view.state, by === undefined ? 'no' : 'yes']],
  });
  return EXIT.ok;
}
