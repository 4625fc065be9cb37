import { ClientError } from '@writ/client';
import { PeopleFolder } from '@writ/client/node';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';

export async function contextUse({ args, output, surroundings }: Call): Promise<number> {
  const [name = ''] = args;
  const people = new PeopleFolder(surroundings.settings.configFolder);
  const contexts = await people.readContexts();
  if (!contexts.contexts.some((context) => context.name === name)) {
    const known = contexts.contexts.map((context) => context.name).join(', ');
    throw new ClientError(
      'context.missing',
      `There is no context ${name}.${known ? ` Known: ${known}.` : ''}`,
    );
  }
  await people.writeContexts({ ...contexts, current: name });
  output.answer({
    value: { current: name },
    ids: [name],
    head: ['context'],
    rows: [[name]],
    text: `commands are meant for ${name} now`,
  });
  return EXIT.ok;
}
