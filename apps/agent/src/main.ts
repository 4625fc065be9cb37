import { isMainThread } from 'node:worker_threads';
import { AgentError } from './agent-error.ts';
import { start } from './compose.ts';
import { readConfig } from './config/read-config.ts';
import { AGENT_EXIT } from './exit-codes.ts';
import { openLog, reasonOf } from './log.ts';

// The agent as a program: `writ agent run` starts it with its launcher's socket as descriptor 3. Its measure of speed
// runs in a thread that loads the same file.
if (isMainThread) {
  const writeLog = (line: string): void => void process.stderr.write(line);
  let isStarted = false;
  try {
    const agent = await start({ ...readConfig(), writeLog });
    isStarted = true;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void agent.close());
    await agent.over;
    process.exit(AGENT_EXIT.over);
  } catch (error) {
    const event = isStarted ? 'agent.failed' : 'agent.not_started';
    openLog(writeLog, Date.now)(event, { why: reasonOf(error) });
    const isLost = error instanceof AgentError && error.code === 'record.lost';
    process.exit(isLost ? AGENT_EXIT.recordLost : AGENT_EXIT.failed);
  }
}
