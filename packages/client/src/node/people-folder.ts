import { rename } from 'node:fs/promises';
import path from 'node:path';
import {
  check,
  type Check,
  ClusterId,
  encodeBase64Url,
  Envelope,
  Id,
  Name,
  type Static,
  Type,
} from '@writ/contract';
import { type HeldSets, signerFromSeed, allSets, gatherSets } from '@writ/trust';
import { ClientError } from '../client-error.ts';
import { openKey, type PersonKey } from '../open-key.ts';
import { readPrivateFile } from './private-file.ts';
import { writePrivateFile } from '@writ/trust/node';

const closed = { additionalProperties: false } as const;

/** How a cluster is reached from here, and as whom. */
export const Context = Type.Object(
  {
    name: Name,
    cluster: ClusterId,
    reach: Type.Union([
      Type.Object({ is: Type.Literal('socket'), state: Type.String() }, closed),
      Type.Object({ is: Type.Literal('tls'), url: Type.String({ pattern: '^https://[^/]+$' }) }, closed),
    ]),
    person: Type.Union([Id, Type.Null()]),
  },
  closed,
);
/** How a cluster is reached from here, and as whom. */
export type Context = Static<typeof Context>;
const contextsCheck = check(
  Type.Object(
    { format: Type.Literal(1), current: Type.Union([Name, Type.Null()]), contexts: Type.Array(Context) },
    closed,
  ),
);
/** The clusters known here. */
export interface Contexts {
  /** Of the file. */
  readonly format: 1;
  /** Name of the one that is meant when none is named. */
  readonly current: string | null;
  /** Each with a name of its own. */
  readonly contexts: readonly Context[];
}

const setsCheck = check(
  Type.Object({ format: Type.Literal(1), sets: Type.Array(Envelope, { minItems: 1 }) }, closed),
);
const signedCheck = check(Type.Object({ format: Type.Literal(1), set: Type.Optional(Envelope) }, closed));
const ordersCheck = check(Type.Object({ format: Type.Literal(1), order: Envelope }, closed));

/** What one person's programs keep on this machine: contexts, keys, pinned signer sets, orders that were signed. All 0600. */
export class PeopleFolder {
  /** Where it lies. */
  readonly folder: string;

  /** @param folder usually `$XDG_CONFIG_HOME/writ`. */
  constructor(folder: string) {
    this.folder = folder;
  }

  /** Those that are known; none in a new folder. */
  async readContexts(): Promise<Contexts> {
    return (await this.#read('contexts.json', contextsCheck)) ?? { format: 1, current: null, contexts: [] };
  }

  /** The context of that name, or the one chosen with `writ context use`. @throws ClientError `context.missing` */
  async chooseContext(named?: string): Promise<Context> {
    const { contexts, current } = await this.readContexts();
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

  /** Replaces the file, durably. */
  async writeContexts(contexts: Contexts): Promise<void> {
    await this.#write('contexts.json', contexts);
  }

  /** Keeps a person's key. */
  async writeKey(key: { person: string; name: string; seed: Uint8Array }): Promise<PersonKey> {
    const signer = signerFromSeed(key.seed);
    await this.#write(`keys/${key.person}.json`, {
      format: 1,
      person: key.person,
      name: key.name,
      key: signer.key,
      seed: encodeBase64Url(key.seed),
    });
    return { person: key.person, name: key.name, signer };
  }

  /** Gives the file of a person's key another name. @returns where it is now; undefined when there was none. */
  async setKeyAside(person: string, now: number): Promise<string | undefined> {
    const aside = path.join(this.folder, 'keys', `${person}.before-${now}.json`);
    try {
      await rename(path.join(this.folder, 'keys', `${person}.json`), aside);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    return aside;
  }

  /** Undoes {@link PeopleFolder.setKeyAside}. */
  async putKeyBack(person: string, aside: string): Promise<void> {
    await rename(aside, path.join(this.folder, 'keys', `${person}.json`));
  }

  /** A person's key. @throws ClientError `key.missing`, `key.malformed`, `file.mode` */
  async readKey(person: string): Promise<PersonKey> {
    const kept = await this.#read(`keys/${person}.json`, anything, 'key.malformed');
    if (kept === undefined) {
      throw new ClientError(
        'key.missing',
        `The signing key ${path.join(this.folder, 'keys', `${person}.json`)} is not here.`,
      );
    }
    const key = openKeyIn(path.join(this.folder, 'keys', `${person}.json`), kept);
    if (key.person === person) return key;
    throw new ClientError('key.malformed', `The key in keys/${person}.json is of somebody else.`);
  }

  /** The pinned chain of a cluster; each version is checked again as it is read. */
  async readSets(cluster: string): Promise<HeldSets | undefined> {
    const kept = await this.#read(`clusters/${cluster}/sets.json`, setsCheck);
    if (kept === undefined) return undefined;
    return gatherSets(kept.sets, cluster);
  }

  /** The pins of a context, without which nothing is believed. @throws ClientError `file.malformed` */
  async readPins({ name, cluster }: Context): Promise<HeldSets> {
    const sets = await this.readSets(cluster);
    if (sets !== undefined) return sets;
    throw new ClientError('file.malformed', `The pinned signer sets of ${name} are not in ${this.folder}.`);
  }

  /** The token that was given when the context was added. */
  async readToken(context: string): Promise<string | undefined> {
    return (await readPrivateFile(this.#tokenFile(context)))?.trim();
  }

  /** Keeps it for {@link PeopleFolder.readToken}. */
  async writeToken(context: string, token: string): Promise<void> {
    await writePrivateFile(this.#tokenFile(context), `${token}\n`);
  }

  #tokenFile(context: string): string {
    return path.join(this.folder, 'tokens', context);
  }

  /** Keeps the chain as the new pins of its cluster. */
  async writeSets(sets: HeldSets): Promise<void> {
    await this.#write(`clusters/${sets.cluster}/sets.json`, {
      format: 1,
      sets: allSets(sets),
    });
  }

  /** A signer set that was signed here and of which nobody has said yet that it was taken: sent again before another is signed. */
  async readSigned(cluster: string): Promise<Envelope | undefined> {
    return (await this.#read(this.#signedFile(cluster), signedCheck))?.set;
  }

  /** Before it is sent. Null when it is known what became of it. */
  async writeSigned(cluster: string, set: Envelope | null): Promise<void> {
    await this.#write(this.#signedFile(cluster), set === null ? { format: 1 } : { format: 1, set });
  }

  #signedFile(cluster: string): string {
    return `clusters/${cluster}/signed.json`;
  }

  /** Before it is sent, so that sending it again sends the same bytes. */
  async writeOrder(cluster: string, job: string, order: Envelope): Promise<void> {
    await this.#write(`clusters/${cluster}/orders/${job}.json`, { format: 1, order });
    await this.#write(`clusters/${cluster}/last.json`, { format: 1, job });
  }

  /** The signed bytes of an order that was submitted from here. */
  async readOrder(cluster: string, job: string): Promise<Envelope | undefined> {
    return (await this.#read(`clusters/${cluster}/orders/${job}.json`, ordersCheck))?.order;
  }

  /** The job that was submitted last from here. */
  async readLast(cluster: string): Promise<string | undefined> {
    return (await this.#read(`clusters/${cluster}/last.json`, lastCheck))?.job;
  }

  async #read<T>(
    name: string,
    shape: Check<T>,
    code: 'file.malformed' | 'key.malformed' = 'file.malformed',
  ): Promise<T | undefined> {
    const file = path.join(this.folder, name);
    const text = await readPrivateFile(file);
    if (text === undefined) return undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      value = undefined;
    }
    if (!shape.is(value))
      throw new ClientError(
        code,
        `${file} is not what this program wrote. Put it back from a copy, or move it away.`,
      );
    return value;
  }

  async #write(name: string, value: unknown): Promise<void> {
    await writePrivateFile(path.join(this.folder, name), `${JSON.stringify(value)}\n`);
  }
}

/** As {@link openKey}, and says which file. */
function openKeyIn(file: string, kept: unknown): PersonKey {
  try {
    return openKey(kept);
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    throw new ClientError(error.code, `${file}: ${error.message} Put it back from a copy.`, { cause: error });
  }
}

const anything = check(Type.Unknown());
const lastCheck = check(Type.Object({ format: Type.Literal(1), job: Id }, closed));
