import { holdFolder } from '@writ/store/hold-folder';
import { compose } from './compose.ts';
import type { RunningAgent } from './compose.ts';
import { readConfig } from './config/read-config.ts';
import { openIsolation } from './isolate/open-isolation.ts';
import { openLog } from './log.ts';
import { systemClock } from './system-clock.ts';

export { AgentError, type AgentErrorCode } from './agent-error.ts';
export type { RunningAgent } from './compose.ts';
export {
  defaultMachine,
  type MachineFile,
  readMachineFile,
  writeMachineFile,
} from './config/machine-file.ts';
export { joinCluster, type Joined, type JoinWish, prepareAgent, type PrepareWish } from './join/compose.ts';

export interface StartOptions {
  /** The agent's folder, as this program sees it. */
  readonly folder: string;
  /** The descriptor of the socket to the launcher. */
  readonly descriptor: number;
  /** Where jobs' files lie, as this program sees it; by default below the folder. */
  readonly slotsFolder?: string;
  readonly cacheFolder?: string;
  /** Where lines of the log go. */
  readonly writeLog: (line: string) => void;
}

/** Starts an agent whose launcher is at the other end of the descriptor. It ends when its launcher does. */
export async function start(options: StartOptions): Promise<RunningAgent> {
  const hold = holdFolder(options.folder);
  try {
    const clock = systemClock();
    const log = openLog(options.writeLog, clock.now);
    const isolation = await openIsolation({
      descriptor: options.descriptor,
      slotsFolder: options.slotsFolder ?? `${options.folder}/slots`,
      cacheFolder: options.cacheFolder ?? `${options.folder}/cache`,
    });
    try {
      const agent = await compose({ folder: options.folder, isolation, clock, random: Math.random, log });
      log('agent.started', { name: agent.name, identity: agent.identity });
      return { ...agent, port: agent.port, over: agent.over.finally(() => hold.release()) };
    } catch (error) {
      await isolation.close();
      throw error;
    }
  } catch (error) {
    hold.release();
    throw error;
  }
}

/** The agent as a program of its own: `writ agent run` starts it with its launcher's socket as descriptor 3. */
export async function runProgram(): Promise<void> {
  const config = readConfig();
  const agent = await start({ ...config, writeLog: (line) => void process.stderr.write(line) });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void agent.close());
  await agent.over;
}

if (import.meta.main) {
  await runProgram();
  process.exit(0);
}
