import { readAll } from '@writ/client';
import type { AgentView } from '@writ/contract';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { textOption } from '../read/read-options.ts';
import { openSession } from '../session/open-session.ts';
import { bytesText } from '../show/quantities.ts';

export async function agentList({ options, output, surroundings }: Call): Promise<number> {
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const agents = await readAll((asked) => session.client.listAgents(asked));
  output.answer({
    value: { agents },
    ids: agents.map(({ name }) => name),
    head: ['agent', 'state', 'running', 'cores', 'memory', 'gflops', 'isolation', 'labels', 'done'],
    rows: agents.map((agent) => [
      agent.name,
      stateOf(agent),
      `${agent.running}/${agent.slots}`,
      String(agent.cores ?? ''),
      agent.memoryBytes === null ? '' : bytesText(agent.memoryBytes),
      agent.megaflops ? (agent.megaflops / 1000).toFixed(1) : '',
      agent.profiles.map(({ profile }) => profile).join(',') || 'none',
      agent.labels.map(({ name, value }) => (value === '' ? name : `${name}=${value}`)).join(','),
      String(agent.tasksDone),
    ]),
  });
  return EXIT.ok;
}

function stateOf({ state, isConnected, isBusy, isDrained }: AgentView): string {
  if (state === 'banned') return 'banned';
  if (!isConnected) return 'away';
  if (isDrained) return 'drained';
  return isBusy ? 'busy' : 'free';
}
