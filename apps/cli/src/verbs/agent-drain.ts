import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { isName } from '../read/is-name.ts';
import { textOption } from '../read/read-options.ts';
import { openSession } from '../session/open-session.ts';

export const agentDrain = (call: Call): Promise<number> => drain(call, true);
export const agentResume = (call: Call): Promise<number> => drain(call, false);

async function drain({ args, options, output, surroundings }: Call, isDrained: boolean): Promise<number> {
  const [name = ''] = args;
  if (!isName(name))
    throw new CliError('selector.none', `“${name}” is not the name of an agent.`, 'See: writ agent list');
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const agent = await (isDrained ? session.client.drainAgent(name) : session.client.resumeAgent(name));
  output.answer({
    value: { agent },
    ids: [agent.name],
    head: ['agent', 'drained', 'running'],
    rows: [[agent.name, agent.isDrained ? 'yes' : 'no', String(agent.running)]],
  });
  if (isDrained)
    output.note(
      agent.running > 0
        ? `It finishes the ${agent.running} tasks that it has begun, and gets nothing new.`
        : `It runs nothing, and gets nothing new until: writ agent resume ${name}`,
    );
  return EXIT.ok;
}
