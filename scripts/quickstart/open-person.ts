import { join } from 'node:path';
import { connect, type Client } from '@writ/client';
import { fetchOverSocket, PeopleFolder, type PersonKey } from '@writ/client/node';
import type { HeldSets } from '@writ/trust';

/** The person who started the server: their key, their pinned signer sets, and a connection. */
export interface Person extends AsyncDisposable {
  readonly client: Client;
  readonly key: PersonKey;
  readonly sets: HeldSets;
}

/** @param configuration what `XDG_CONFIG_HOME` was when this person ran `writ up`. */
export async function openPerson(configuration: string): Promise<Person> {
  const folder = new PeopleFolder(join(configuration, 'writ'));
  const { current, contexts } = await folder.readContexts();
  const context = contexts.find(({ name }) => name === current);
  if (!context || context.person === null || context.reach.is !== 'socket') {
    throw new Error('`writ up` left no context of a person who reaches the server over its socket');
  }
  const sets = await folder.readSets(context.cluster);
  if (!sets) throw new Error('`writ up` pinned no signer set');
  const opened = fetchOverSocket(join(context.reach.state, 'server', 'admin.sock'));
  return {
    client: connect({ url: 'http://writ', fetch: opened.fetch }),
    key: await folder.readKey(context.person),
    sets,
    [Symbol.asyncDispose]: () => opened.close(),
  };
}
