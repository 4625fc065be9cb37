// npm run campaign -- kills [--minutes N] …
import { loadavg } from 'node:os';
import { relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { runKillCampaign } from './kill-campaign.ts';
import { readArguments } from './read-arguments.ts';
import { readSurroundings, showResult, writeResults } from './write-results.ts';

const asked = readArguments(process.argv.slice(2), Math.floor(Math.random() * 2 ** 31));
if (typeof asked === 'string') {
  process.stderr.write(`${asked}\n`);
  process.exit(2);
}
if (process.getuid?.() !== 0) {
  process.stderr.write('Only as root: which agent a task ran on is told by the account that it has there.\n');
  process.exit(2);
}
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => ending.abort());

const root = fileURLToPath(new URL('../../..', import.meta.url));
const around = readSurroundings(root, loadavg()[0] ?? 0);
const { wish } = asked;
say(`seed ${wish.seed}: kills ${wish.roles.join(', ')} on ${wish.database} for ${wish.minutes} minutes`);
try {
  const result = await runKillCampaign(wish, say, ending.signal);
  process.stdout.write(showResult(result, around));
  if (asked.isWritten)
    for (const file of writeResults(`${root}/campaigns/results`, result, around))
      say(`written: ${relative(process.cwd(), file)}`);
  if (result.faults.length > 0) process.exitCode = 1;
} catch (error) {
  say(
    ending.signal.aborted
      ? 'ended early, and nothing judged'
      : `✗ ${String((error as Error).stack ?? error)}`,
  );
  process.exitCode = ending.signal.aborted ? 130 : 1;
}
