// node run-and-verify.ts uname -a: runs a command as a job, and prints what it wrote once that is verified.
import process from 'node:process';
import { openSubmitter } from '@writ/client/node';

await using submitter = await openSubmitter({ configFolder: `${process.env['HOME']}/.config/writ` });
const job = await submitter.submit({ argv: process.argv.slice(2) });
for await (const event of job.follow())
  if (event.is === 'task') process.stderr.write(`${event.task.state} ${event.task.agent ?? ''}\n`);
for await (const result of job.results()) {
  process.stdout.write(await job.readLog(result));
  process.stderr.write(`${result.predicate.because}, signed by ${result.agent.name}: verified\n`);
}
