import { allOf, type PageAsked } from '@writ/client';
import { type JobView, TASK_STATES } from '@writ/contract';
import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { textOption } from '../read/read-options.ts';
import { openSession } from '../session/open-session.ts';
import { shellWords } from '../show/printable.ts';
import { parseWhole } from '../show/quantities.ts';

export async function jobList({ options, output, surroundings }: Call): Promise<number> {
  const state = textOption(options, 'state');
  if (state !== undefined && !(TASK_STATES as readonly string[]).includes(state)) {
    throw new CliError(
      'usage.option',
      `--state ${state} is none.`,
      `Write one of ${TASK_STATES.join(', ')}.`,
    );
  }
  const most = parseWhole(textOption(options, 'limit') ?? '50', '--limit', 1, 1_000_000);
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const jobs: JobView[] = [];
  for await (const job of allOf(
    (asked: PageAsked) => session.client.listJobs({ ...asked, state }),
    Math.min(most, 500),
  )) {
    jobs.push(job);
    if (jobs.length >= most) break;
  }
  output.answer({
    value: { jobs },
    ids: jobs.map(({ id }) => id),
    head: ['job', 'state', 'tasks', 'done', 'by', 'submitted', 'command'],
    rows: jobs.map((job) => [
      job.id,
      job.state,
      String(job.tasks),
      String(job.counts.succeeded),
      job.submittedBy,
      job.submitted,
      shellWords(job.command).slice(0, 60),
    ]),
  });
  return EXIT.ok;
}
