import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { advanceSets, ClientError } from '@writ/client';
import { type Context, PeopleFolder, readPrivateFile } from '@writ/client/node';
import { check, ClusterId, Envelope, Type } from '@writ/contract';
import { allSets, findKey, type HeldSets, walkSets } from '@writ/trust';
import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { readStdin } from '../read/ask.ts';
import { isName } from '../read/is-name.ts';
import { textOption } from '../read/read-options.ts';
import { whyUnread } from '../read/why-unread.ts';

const trustFileCheck = check(
  Type.Object({ cluster: ClusterId, sets: Type.Array(Envelope, { minItems: 1 }) }),
);

/** The pins come from a file that the person trusts, never from the server that is added. */
export async function contextAdd(call: Call): Promise<number> {
  const { args, options, output, surroundings } = call;
  const [name = ''] = args;
  if (!isName(name))
    throw new CliError('usage.argument', `“${name}” cannot be a name.`, 'Use small letters, digits and -.');
  const url = readUrl(textOption(options, 'url'));
  const shown = await readTrust(call);
  const people = new PeopleFolder(surroundings.settings.configFolder);
  const { contexts, current } = await people.readContexts();
  if (contexts.some((context) => context.name === name))
    throw new ClientError('context.taken', `There is a context ${name} already.`);
  const held = await people.readSets(shown.cluster);
  const sets = held === undefined ? shown : advanceSets(held, allSets(shown));
  const token = await readToken(call);
  await people.writeSets(sets);
  if (token !== undefined) await people.writeToken(name, token);
  const context: Context = {
    name,
    cluster: sets.cluster,
    reach: { is: 'tls', url },
    person: await findOwnKey(people, contexts, sets),
  };
  await people.writeContexts({ format: 1, current: current ?? name, contexts: [...contexts, context] });
  output.answer({
    value: { name, cluster: sets.cluster, server: url, person: context.person },
    ids: [name],
    head: ['context', 'server', 'cluster'],
    rows: [[name, url, sets.cluster]],
  });
  if (context.person === null)
    output.note('No key of yours is in its signer set: you can look, and not order.');
  if (current !== null) output.note(`use it: writ context use ${name}, or --context ${name}`);
  return EXIT.ok;
}

function readUrl(text: string | undefined): string {
  if (text === undefined)
    throw new CliError('usage.option', '--url is missing.', 'Write --url https://host:7410');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url?.protocol !== 'https:' ||
    url.pathname !== '/' ||
    url.username !== '' ||
    url.search !== '' ||
    url.hash !== ''
  ) {
    throw new CliError(
      'usage.option',
      `--url ${text} is not the address of a server.`,
      'Write --url https://host:7410',
    );
  }
  return url.port === '' ? `https://${url.hostname}:443` : url.origin;
}

async function readTrust({ options, surroundings }: Call): Promise<HeldSets> {
  const name = textOption(options, 'trust');
  if (name === undefined)
    throw new CliError(
      'usage.option',
      '--trust is missing.',
      'On a machine that knows the cluster: writ context export > FILE',
    );
  const how = 'Make it with writ context export, or take a bundle.';
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path.resolve(surroundings.cwd, name), 'utf8'));
  } catch (error) {
    const why = error instanceof SyntaxError ? 'it is not JSON' : whyUnread(error as NodeJS.ErrnoException);
    throw new CliError('usage.option', `--trust ${name} cannot be read: ${why}.`, how, { cause: error });
  }
  const known = textOption(options, 'cluster');
  if (!trustFileCheck.is(value))
    throw new CliError('usage.option', `--trust ${name} holds no signer sets.`, how);
  if (known !== undefined && known !== value.cluster) {
    throw new CliError(
      'usage.option',
      `--trust ${name} is of cluster ${value.cluster}, not of ${known}.`,
      'Do not use this file.',
    );
  }
  return walkSets(value.sets, value.cluster);
}

async function readToken({ options, surroundings }: Call): Promise<string | undefined> {
  const file = textOption(options, 'tokenFile');
  if (file === undefined) return undefined;
  const text =
    file === '-'
      ? await readStdin(surroundings)
      : await readPrivateFile(path.resolve(surroundings.cwd, file));
  if (text === undefined)
    throw new CliError(
      'usage.option',
      `--token-file ${file}: there is no such file.`,
      'For stdin: --token-file -',
    );
  const token = text.trim();
  if (/^writ_[A-Za-z0-9_-]{32,}$/.test(token)) return token;
  throw new CliError(
    'usage.option',
    `--token-file ${file} holds no token.`,
    'A token begins with writ_: writ token create NAME',
  );
}

/** A key of this account that the newest set lists. */
async function findOwnKey(
  people: PeopleFolder,
  contexts: readonly Context[],
  sets: HeldSets,
): Promise<string | null> {
  for (const person of new Set(contexts.map((context) => context.person))) {
    if (person === null) continue;
    const { signer } = await people.readKey(person);
    if (findKey(sets.current, signer.key)?.person.id === person) return person;
  }
  return null;
}
