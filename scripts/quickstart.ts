// npm run quickstart [-- --keep] [-- --bare]
import { availableParallelism, tmpdir } from 'node:os';
import { dirname } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { readArguments } from './quickstart/read-arguments.ts';
import { runQuickstart } from './quickstart/run-quickstart.ts';

const wish = readArguments(process.argv.slice(2));
if (typeof wish === 'string') {
  process.stderr.write(`${wish}\n`);
  process.exit(2);
}
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupted.abort());
}
process.exitCode = await runQuickstart(wish, {
  root: dirname(dirname(fileURLToPath(import.meta.url))),
  machine: {
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    path: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
  },
  cores: availableParallelism(),
  isTerminal: process.stdout.isTTY,
  environment: process.env,
  temporary: tmpdir(),
  signal: interrupted.signal,
  write: (text) => process.stdout.write(text),
});
