import { isMainThread } from 'node:worker_threads';
import { start } from './compose.ts';
import { readConfig } from './config/read-config.ts';

// The agent as a program: `writ agent run` starts it with its launcher's socket as descriptor 3. Its measure of speed
// runs in a thread that loads the same file.
if (isMainThread) {
  const agent = await start({ ...readConfig(), writeLog: (line) => void process.stderr.write(line) });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void agent.close());
  await agent.over;
  process.exit(0);
}
