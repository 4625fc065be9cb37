import type { OrderWish } from '../build-order.ts';
import { ClientError } from '../client-error.ts';
import { type SubmittedJob, Submitter } from '../submitter.ts';
import { collectInputs } from './collect-inputs.ts';
import { type Context, PeopleFolder } from './people-folder.ts';
import { reachContext } from './reach-context.ts';
import { uploadFiles } from './upload-files.ts';

/** Which cluster, and as whom. */
export interface SubmitterWish {
  /** Where `writ` keeps contexts, keys and pins of this person: `~/.config/writ`. */
  readonly configFolder: string;
  /** Name of a context; the one chosen with `writ context use` when left out. */
  readonly context?: string | undefined;
  /** API token; the one that was given to `writ context add` when left out. Not needed on the server's own machine. */
  readonly token?: string | undefined;
}

/** A `Submitter` with what Node adds: files of this machine, and a connection to close. */
export class OpenedSubmitter extends Submitter implements AsyncDisposable {
  readonly #close: () => Promise<void>;

  /** @internal */
  constructor(parts: ConstructorParameters<typeof Submitter>[0], close: () => Promise<void>) {
    super(parts);
    this.#close = close;
  }

  /**
   * As `submit`, with input files of this machine: they are read, named in the order by path and digest, and sent as far
   * as the server does not have them.
   *
   * @param folder what paths are relative to; nothing outside of it is sent.
   * @param files files, folders and patterns.
   */
  async submitWithFiles(
    wish: Omit<OrderWish, 'inputs'>,
    { folder, files }: { readonly folder: string; readonly files: readonly string[] },
    signal: AbortSignal = new AbortController().signal,
  ): Promise<SubmittedJob> {
    const { inputs, sources } = await collectInputs(folder, files);
    await uploadFiles(this.client, sources, { signal, wait: this.wait });
    return await this.submit({ ...wish, inputs }, signal);
  }

  /** Ends its connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}

/**
 * Submits as the person whose contexts and key `writ` keeps on this machine. Orders and newer pins are kept there too, so
 * that `writ status`, `writ get` and `writ verify` know them.
 *
 * @throws ClientError `context.missing`, `key.missing`, `file.mode`
 *
 * @example
 * ```ts
 * await using submitter = await openSubmitter({ configFolder: `${process.env.HOME}/.config/writ` });
 * const job = await submitter.submit({ argv: ['uname', '-a'] });
 * ```
 */
export async function openSubmitter({
  configFolder,
  context,
  token,
}: SubmitterWish): Promise<OpenedSubmitter> {
  const people = new PeopleFolder(configFolder);
  const chosen = await people.chooseContext(context);
  const pins = await people.readPins(chosen);
  const key = await people.readKey(personOf(chosen));
  const reached = await reachContext(chosen, {
    // Asked at a handshake, and nothing is sent before this function has ended.
    sets: () => submitter.sets,
    token: token ?? (await people.readToken(chosen.name)),
    now: Date.now,
  });
  const submitter = new OpenedSubmitter(
    {
      client: reached.client,
      sets: pins,
      person: key.person,
      signer: key.signer,
      keepOrder: (job, order) => people.writeOrder(chosen.cluster, job, order),
      keepSets: (sets) => people.writeSets(sets),
    },
    async () => reached[Symbol.asyncDispose](),
  );
  return submitter;
}

function personOf({ name, person }: Context): string {
  if (person !== null) return person;
  throw new ClientError('key.missing', `The context ${name} has no signing key: it can look, and not order.`);
}
