import { isMainThread } from 'node:worker_threads';
import { start } from './compose.ts';
import { readConfig } from './config/read-config.ts';
import { openLog, reasonOf } from './log.ts';

// The agent as a program: `writ agent run` starts it with its launcher's socket as descriptor 3. Its measure of speed
// runs in a thread that loads the same file.
if (isMainThread) {
  const writeLog = (line: string): void => void process.stderr.write(line);
  try {
    const agent = await start({ ...readConfig(), writeLog });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void agent.close());
    await agent.over;
    process.exit(0);
  } catch (error) {
    openLog(writeLog, Date.now)('agent.not_started', { why: reasonOf(error) });
    process.exit(1);
  }
}
