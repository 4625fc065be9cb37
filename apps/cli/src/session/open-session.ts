import { advanceSets, type Client, ClientError } from '@writ/client';
import {
  type Context,
  PeopleFolder,
  type PersonKey,
  type ReachedContext,
  reachContext,
} from '@writ/client/node';
import type { TrustView } from '@writ/contract';
import type { HeldSets } from '@writ/trust';
import type { Surroundings } from '../surroundings.ts';

export interface SessionWish {
  /** `--context` */
  readonly context?: string | undefined;
}

/** One command's connection to one cluster: the context, its pins, its key. */
export class Session implements AsyncDisposable {
  readonly people: PeopleFolder;
  readonly context: Context;
  readonly client: Client;
  readonly #reached: ReachedContext;
  /** Also read at each handshake. */
  readonly #pinned: { sets: HeldSets };

  constructor(people: PeopleFolder, context: Context, pinned: { sets: HeldSets }, reached: ReachedContext) {
    this.people = people;
    this.context = context;
    this.#pinned = pinned;
    this.client = reached.client;
    this.#reached = reached;
  }

  /** The pinned chain, as far as this command has walked. */
  get sets(): HeldSets {
    return this.#pinned.sets;
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
    return await this.keep(advanceSets(this.sets, trust.sets));
  }

  async keep(sets: HeldSets): Promise<HeldSets> {
    if (sets !== this.sets) await this.people.writeSets(sets);
    this.#pinned.sets = sets;
    return sets;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reached[Symbol.asyncDispose]();
  }
}

/** @throws ClientError `context.missing` */
export async function openSession({ settings, now }: Surroundings, wish: SessionWish): Promise<Session> {
  const people = new PeopleFolder(settings.configFolder);
  const context = await people.chooseContext(wish.context ?? settings.context);
  const token = settings.token ?? (await people.readToken(context.name));
  const pinned = { sets: await people.readPins(context) };
  const reached = await reachContext(context, { sets: () => pinned.sets, token, now });
  return new Session(people, context, pinned, reached);
}
