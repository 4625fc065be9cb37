import { DEFAULTS } from '@writ/contract';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { type OrderedJob, orderJob } from '../job/order-job.ts';
import { readWish } from '../job/read-wish.ts';
import { textOption } from '../read/read-options.ts';
import { openSession } from '../session/open-session.ts';

export async function submit(call: Call): Promise<number> {
  const wish = await readWish(call, DEFAULTS.submitNotAfterSeconds);
  await using session = await openSession(call.surroundings, {
    context: textOption(call.options, 'context'),
  });
  const ordered = await orderJob(session, wish, call.surroundings, call.output, new AbortController().signal);
  answerSubmitted(call, ordered);
  return EXIT.ok;
}

export function answerSubmitted({ output }: Call, { view, order }: OrderedJob): void {
  output.answer({
    value: {
      job: view.id,
      digest: order.digest,
      state: view.state,
      tasks: view.tasks,
      notAfter: view.notAfter,
    },
    ids: [view.id],
    head: ['job'],
    rows: [[view.id]],
    text: view.id,
  });
  output.note(
    output.paint(
      'dim',
      `submitted ${view.tasks === 1 ? 'a job' : `${view.tasks} tasks`} · follow it: writ wait ${view.id.slice(0, 8)}`,
    ),
  );
}
