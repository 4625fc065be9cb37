import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { WAITS, whatStarts } from '../explain/explain-waiting.ts';
import { textOption } from '../read/read-options.ts';
import { resolveJob } from '../read/resolve-job.ts';
import { openSession } from '../session/open-session.ts';
import { printable } from '../show/printable.ts';

/** What a job waits for, and what would start it: as the server says. */
export async function why({ args, options, output, surroundings }: Call): Promise<number> {
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const { job: id } = await resolveJob(session, args[0], undefined);
  const found = await session.client.whyWaiting(id);
  const { job, agents } = found;
  const waits = job.waitsFor === null ? null : WAITS[job.waitsFor];
  const starts = whatStarts(found);
  const rows = agents.map(({ name, state, isFit, because, detail }) => [
    name,
    state,
    isFit ? 'fits' : 'does not fit',
    printable([because, detail].filter((part) => part !== null).join(': ')),
  ]);
  const width = Math.max(0, ...agents.map(({ name }) => name.length));
  output.answer({
    value: { job: job.id, state: job.state, waitsFor: job.waitsFor, starts, agents },
    ids: [job.id],
    head: ['agent', 'state', 'fits', 'because'],
    rows,
    text: [
      `job     ${job.id}`,
      `state   ${job.state}${waits === null ? '' : `: ${waits}`}`,
      `next    ${printable(starts)}`,
      ...rows.map(
        ([name = '', state = '', fits = '', because = '']) =>
          `agent   ${name.padEnd(width)}  ${state}, ${fits}${because === '' ? '' : ` · ${because}`}`,
      ),
    ].join('\n'),
  });
  return EXIT.ok;
}
