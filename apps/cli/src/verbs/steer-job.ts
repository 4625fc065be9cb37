import type { JobView } from '@writ/contract';
import type { Client } from '@writ/client';
import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { readPriority } from '../read/read-priority.ts';
import { textOption } from '../read/read-options.ts';
import { resolveJob } from '../read/resolve-job.ts';
import { openSession } from '../session/open-session.ts';

export const hold = (call: Call): Promise<number> => steer(call, (client, id) => client.holdJob(id));
export const release = (call: Call): Promise<number> => steer(call, (client, id) => client.releaseJob(id));

export async function priority(call: Call): Promise<number> {
  const [, text] = call.args;
  if (text === undefined)
    throw new CliError('usage.argument', 'The priority is missing.', 'writ priority last 10');
  const wanted = readPriority(text, 'The priority');
  return await steer(call, (client, id) => client.setPriority(id, wanted));
}

async function steer(
  { args, options, output, surroundings }: Call,
  act: (client: Client, id: string) => Promise<JobView>,
): Promise<number> {
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const { job: id } = await resolveJob(session, args[0], undefined);
  const job = await act(session.client, id);
  output.answer({
    value: {
      job: job.id,
      state: job.state,
      waitsFor: job.waitsFor,
      priority: job.priority,
      isHeld: job.isHeld,
    },
    ids: [job.id],
    head: ['job', 'state', 'held', 'priority'],
    rows: [[job.id, job.state, job.isHeld ? 'yes' : 'no', String(job.priority)]],
  });
  return EXIT.ok;
}
