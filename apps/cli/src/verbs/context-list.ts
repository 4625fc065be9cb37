import { PeopleFolder } from '@writ/client/node';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';

export async function contextList({ output, surroundings }: Call): Promise<number> {
  const people = new PeopleFolder(surroundings.settings.configFolder);
  const { contexts, current } = await people.readContexts();
  const shown = await Promise.all(
    contexts.map(async ({ name, cluster, reach, person }) => ({
      name,
      isCurrent: name === current,
      cluster,
      server: reach.is === 'socket' ? reach.state : reach.url,
      key: person === null ? null : (await people.readKey(person)).name,
    })),
  );
  output.answer({
    value: { contexts: shown },
    ids: shown.map(({ name }) => name),
    head: ['', 'context', 'server', 'key', 'cluster'],
    rows: shown.map(({ name, isCurrent, cluster, server, key }) => [
      isCurrent ? '*' : '',
      name,
      server,
      key ?? 'none',
      cluster,
    ]),
  });
  return EXIT.ok;
}
