import type { Call } from '../command-spec.ts';
import { CliError } from '../cli-error.ts';
import { EXIT } from '../exit-codes.ts';
import { confirm } from '../read/ask.ts';
import { isName } from '../read/is-name.ts';
import { textOption } from '../read/read-options.ts';
import { openSession } from '../session/open-session.ts';

export async function agentBan({ args, options, output, surroundings }: Call): Promise<number> {
  const [name = ''] = args;
  if (!isName(name))
    throw new CliError('selector.none', `“${name}” is not the name of an agent.`, 'See: writ agent list');
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  if (!(await confirm(surroundings, options, `Shut out the agent ${name}? What it runs goes to others.`))) {
    throw new CliError('interrupted', 'Nothing was done.');
  }
  const agent = await session.client.banAgent(name, textOption(options, 'reason') ?? '');
  output.answer({
    value: { agent },
    ids: [agent.name],
    head: ['agent', 'state'],
    rows: [[agent.name, agent.state]],
  });
  output.note('An honest server keeps it out from now on.');
  return EXIT.ok;
}
