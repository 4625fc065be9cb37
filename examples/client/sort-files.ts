// node sort-files.ts names.txt …: sends files, has each sorted by a task of its own, and brings the outputs back.
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSubmitter, writeOutputs } from '@writ/client/node';

const files = process.argv.slice(2);
const { signal } = new AbortController();
const wait = (milliseconds: number): Promise<void> => sleep(milliseconds);

await using submitter = await openSubmitter({ configFolder: `${process.env['HOME']}/.config/writ` });
const job = await submitter.submitWithFiles(
  {
    argv: ['sh', '-c', 'sort "$WRIT_VALUE" >"$WRIT_VALUE.sorted"'],
    array: { is: 'values', values: files },
    outputs: ['*.sorted'],
  },
  { folder: process.cwd(), files },
);
for await (const event of job.follow())
  if (event.is === 'job') process.stderr.write(`${event.job.counts.succeeded} of ${event.job.tasks}\n`);
for await (const { index, predicate } of job.results()) {
  const into = { signal, wait, tag: `${job.id}-${index}` };
  const written = await writeOutputs(submitter.client, predicate.outputs, 'sorted', into);
  process.stdout.write(written.map((file) => `${file}\n`).join(''));
}
