import path from 'node:path';
import { advanceSets, type Client, ClientError, connect } from '@writ/client';
import {
  type Context,
  fetchOverSocket,
  fetchOverTls,
  type OpenedFetch,
  PeopleFolder,
  type PersonKey,
  readPrivateFile,
} from '@writ/client/node';
import type { TrustView } from '@writ/contract';
import type { HeldSets } from '@writ/trust';
import type { Surroundings } from '../surroundings.ts';
import { openSocketPath } from './socket-path.ts';

export interface SessionWish {
  /** `--context` */
  readonly context?: string | undefined;
}

/** One command's connection to one cluster: the context, its pins, its key. */
export class Session implements AsyncDisposable {
  readonly people: PeopleFolder;
  readonly context: Context;
  readonly client: Client;
  readonly #opened: OpenedFetch;
  #sets: HeldSets;

  constructor(
    people: PeopleFolder,
    context: Context,
    sets: HeldSets,
    open: (sets: () => HeldSets) => { client: Client; opened: OpenedFetch },
  ) {
    this.people = people;
    this.context = context;
    this.#sets = sets;
    const { client, opened } = open(() => this.#sets);
    this.client = client;
    this.#opened = opened;
  }

  /** The pinned chain, as far as this command has walked. */
  get sets(): HeldSets {
    return this.#sets;
  }

  /** The key that signs here. @throws ClientError `key.missing` */
  async key(): Promise<PersonKey> {
    if (this.context.person === null) {
      throw new ClientError(
        'key.missing',
        `The context ${this.context.name} has no signing key: it can look, and not order.`,
      );
    }
    return await this.people.readKey(this.context.person);
  }

  /** Pins what the server shows as far as it follows from what is pinned. */
  async advance(trust: TrustView): Promise<HeldSets> {
    return await this.keep(advanceSets(this.#sets, trust.sets));
  }

  async keep(sets: HeldSets): Promise<HeldSets> {
    if (sets.chain.length > this.#sets.chain.length) await this.people.writeSets(sets);
    this.#sets = sets;
    return sets;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.close();
  }
}

/** @throws ClientError `context.missing` */
export async function openSession({ settings, now }: Surroundings, wish: SessionWish): Promise<Session> {
  const people = new PeopleFolder(settings.configFolder);
  const context = await chooseContext(people, wish.context ?? settings.context);
  const sets = await people.readSets(context.cluster);
  if (sets === undefined) {
    throw new ClientError(
      'file.malformed',
      `The pinned signer sets of ${context.name} are not in ${settings.configFolder}.`,
    );
  }
  const { reach } = context;
  if (reach.is === 'socket') {
    const socket = await openSocketPath(reach.state);
    const over = fetchOverSocket(socket.path);
    const opened: OpenedFetch = {
      fetch: over.fetch,
      close: async () => {
        await over.close();
        await socket[Symbol.asyncDispose]();
      },
    };
    return new Session(people, context, sets, () => ({
      opened,
      client: connect({ url: 'http://writ', shownAs: reach.state, fetch: opened.fetch }),
    }));
  }
  const token =
    settings.token ?? (await readPrivateFile(tokenFile(settings.configFolder, context.name)))?.trim();
  return new Session(people, context, sets, (held) => {
    const opened = fetchOverTls(held, now);
    return { opened, client: connect({ url: reach.url, fetch: opened.fetch, token }) };
  });
}

export const tokenFile = (configFolder: string, context: string): string =>
  path.join(configFolder, 'tokens', context);

async function chooseContext(people: PeopleFolder, named: string | undefined): Promise<Context> {
  const { contexts, current } = await people.readContexts();
  const name = named ?? current;
  const found = contexts.find((context) => context.name === name);
  if (found) return found;
  const known = contexts.map((context) => context.name).join(', ');
  throw new ClientError(
    'context.missing',
    name === null
      ? 'There is no cluster here yet.'
      : `There is no context ${name}.${known ? ` Known: ${known}.` : ''}`,
  );
}
