import { readFile, stat } from 'node:fs/promises';
import { CliError } from '../cli-error.ts';
import type { Surroundings } from '../surroundings.ts';
import { lastWords } from './last-words.ts';
import type { Places } from './places.ts';
import type { Detached } from './start-detached.ts';

const mostWaitMs = 20_000;

/** On a machine without the server there is nobody to ask: the agent's own log says when its link is up. */
export async function followAgentLog(
  program: Detached,
  { agentLog }: Places,
  { wait, now }: Surroundings,
): Promise<void> {
  const from = await stat(agentLog).then(
    ({ size }) => size,
    () => 0,
  );
  const until = now() + mostWaitMs;
  let ended: string | undefined;
  void program.ended.then(
    ({ code, signal }) => (ended = `It ended with ${code ?? signal}.`),
    (error: Error) => (ended = `It could not be started: ${error.message}.`),
  );
  for (;;) {
    const text = (await readFile(agentLog).catch(() => Buffer.alloc(0))).subarray(from).toString('utf8');
    if (text.includes('link.opened')) break;
    if (ended !== undefined || now() > until) {
      const last = lastWords(text);
      throw new CliError(
        'up.not_ready',
        `The agent did not connect. ${ended ?? `It gave no sign within ${mostWaitMs / 1000} s.`}${last && ` ${last}`}`,
        `See its log: ${agentLog}`,
      );
    }
    await wait(30);
  }
  program.leave();
}
