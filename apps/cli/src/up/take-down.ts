import { CliError } from '../cli-error.ts';
import type { Surroundings } from '../surroundings.ts';
import { reachServer } from './bring-up.ts';
import type { Places } from './places.ts';
import { type Part, readRunning } from './running-file.ts';

const graceMs = 15_000;

/** Stops agent and server of a folder, and waits until they are gone. @returns what was stopped. */
export async function takeDown(
  places: Places,
  surroundings: Surroundings,
  { keepsAgent = false }: { keepsAgent?: boolean } = {},
): Promise<Part[]> {
  const running = await readRunning(places);
  const stopped: Part[] = [];
  if (running.agent !== undefined && !keepsAgent) {
    process.kill(running.agent, 'SIGTERM');
    await gone(places, 'agent', surroundings);
    stopped.push('agent');
  }
  await using reached = await reachServer(places);
  if (reached) {
    await reached.client.stopServer();
    await silent(places, surroundings);
  }
  if (running.server !== undefined) await gone(places, 'server', surroundings);
  if (reached || running.server !== undefined) stopped.push('server');
  return stopped;
}

/** Its number alone could be another process by now: `readRunning` compares when it began. */
async function gone(places: Places, part: Part, { wait, now }: Surroundings): Promise<void> {
  const until = now() + graceMs;
  for (;;) {
    const pid = (await readRunning(places))[part];
    if (pid === undefined) return;
    if (now() > until)
      throw new CliError(
        'up.still_running',
        `The ${part} (process ${pid}) was asked to stop and did not within ${graceMs / 1000} s.`,
        `See its log: ${part === 'server' ? places.serverLog : places.agentLog}`,
      );
    await wait(20);
  }
}

async function silent(places: Places, { wait, now }: Surroundings): Promise<void> {
  const until = now() + graceMs;
  while (now() < until) {
    await using reached = await reachServer(places);
    if (!reached) return;
    await wait(20);
  }
  throw new CliError(
    'up.still_running',
    'The server was asked to stop and still answers.',
    `See its log: ${places.serverLog}`,
  );
}
