import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import {
  followSet,
  type KeyEnd,
  newSeed,
  nextRecoverySet,
  replaceChangers,
  setRecovery,
  signerFromSeed,
  signSet,
  type HeldSet,
  type HeldSets,
  type Signer,
} from '@writ/trust';
import type { Person } from '@writ/contract';
import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { askText, confirm, readStdin } from '../read/ask.ts';
import { readKept } from '../read/read-kept.ts';
import { isGiven, textOption } from '../read/read-options.ts';
import { changeSigners, giveSet, isNever } from '../session/change-signers.ts';
import { keepAgents, sayLost } from '../session/kept-agents.ts';
import { openSession } from '../session/open-session.ts';
import { nameOf } from '../up/name-of.ts';

/** Made on demand, printed once, kept nowhere: whoever has the words can replace those who change the signer set. */
export async function signerRecovery(call: Call): Promise<number> {
  const { options, output, surroundings } = call;
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  await session.advance(await session.client.readTrust());
  const before = session.sets.current.recovery;
  const isRemoved = isGiven(options, 'remove');
  if (isRemoved && before === null)
    throw new CliError(
      'signer.no_recovery',
      'There is no recovery key to remove.',
      'Make one: writ signer recovery',
    );
  // Its entry changes only with its own signature, or a thief would strike it out first.
  const old =
    before === null ? [] : [readPaper(await readWords(call, 'The present recovery key (24 words)'), before)];
  const seed = newSeed(surroundings.random);
  const made = isRemoved ? null : signerFromSeed(seed);
  const words = made ? entropyToMnemonic(seed, wordlist) : null;
  await changeSigners(session, surroundings, {
    changes: [setRecovery(made?.key ?? null)],
    also: old,
    // Before: a key that the set lists and of which nobody has the words could never be replaced.
    beforeSent: (next) =>
      output.answer({
        value: { recovery: made?.key ?? null, words, version: next.newest.set.version },
        ids: words === null ? [] : [words],
        head: ['recovery'],
        rows: [[words ?? 'none']],
        text: words === null ? 'There is no recovery key any more.' : numbered(words),
      }),
  });
  if (words !== null)
    output.note(
      'Write them on paper. They are shown this once and kept nowhere. Whoever has them can replace those who change the signer set, and do nothing else.\nWhen every key is lost or stolen: writ signer recover',
    );
  return EXIT.ok;
}

/** With the words from the paper: this account's new key changes the set from now on, and nobody else's. */
export async function signerRecover(call: Call): Promise<number> {
  const { options, output, surroundings } = call;
  const { settings, now, random } = surroundings;
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const trust = await session.client.readTrust();
  await session.advance(trust);
  const { recovery, changers, persons } = session.sets.newest.set;
  if (recovery === null)
    throw new CliError(
      'signer.no_recovery',
      'The signer set lists no recovery key.',
      'Without one, the owner of each machine joins it to a new cluster: writ up, writ invite, writ join.',
    );
  const paper = readPaper(await readWords(call, 'The recovery key (24 words)'), recovery);
  const person = findWhom(session.sets, textOption(options, 'person'));
  const after = readAfter(session.sets, textOption(options, 'after'));
  const gone = [...persons, ...after.set.persons].filter(
    ({ id }) => changers.includes(id) || after.set.changers.includes(id) || id === person.id,
  );
  const keys = new Set(gone.flatMap((one) => one.keys.map((entry) => entry.key)));
  const { kept, lost } = keepAgents(session.sets, trust, keys, readKept(options));
  const question = `Let a new key of ${person.name} be the only one that changes the signer set? The keys of everybody who changes it now are compromised then: what they sign counts no more.${sayLost(lost)}`;
  if (!(await confirm(surroundings, options, question)))
    throw new CliError('interrupted', 'Nothing was done.');
  const since = now();
  const keyName = `${person.name}@${nameOf(settings.host)}`;
  const seed = newSeed(random);
  const { key } = signerFromSeed(seed);
  const entry = {
    key,
    name: keyName,
    form: 'dsse',
    custody: 'own',
    until: null,
    order: null,
    ended: null,
  } as const;
  const end: KeyEnd = { is: 'compromised', since, kept, running: 'finish' };
  const next = nextRecoverySet(session.sets, since, after, replaceChangers(person.id, entry, end));
  const { envelope } = signSet(next, [paper]);
  followSet(session.sets, envelope);
  // The key is on the disk before anything counts that was signed for it.
  const aside = await session.people.setKeyAside(person.id, since);
  if (aside !== undefined) output.note(`The key that was here is now ${aside}`);
  await session.people.writeKey({ person: person.id, name: keyName, seed });
  const sets = await giveSet(session, envelope).catch(async (error: unknown) => {
    if (aside !== undefined && isNever(error)) await session.people.putKeyBack(person.id, aside);
    throw error;
  });
  const { contexts, ...rest } = await session.people.readContexts();
  await session.people.writeContexts({
    ...rest,
    contexts: contexts.map((context) =>
      context.name === session.context.name ? { ...context, person: person.id } : context,
    ),
  });
  output.answer({
    value: { signer: person.name, key, version: sets.newest.set.version },
    ids: [key],
    head: ['signer', 'key', 'version'],
    rows: [[person.name, key, String(sets.newest.set.version)]],
  });
  output.note('Make a new recovery key now, and let others back in: writ signer recovery, writ signer list');
  return EXIT.ok;
}

async function readWords({ args, options, surroundings }: Call, question: string): Promise<string> {
  if (args[0] === '-') return await readStdin(surroundings, 4096);
  if (args.length > 0)
    throw new CliError(
      'usage.argument',
      'The words are never an argument: whoever looks at the processes of this machine would see them.',
      'Type them when asked, or give them on stdin: -',
    );
  return await askText(
    surroundings,
    options,
    question,
    'On stdin: writ signer recovery -, writ signer recover -',
  );
}

function readPaper(text: string, expected: string): Signer {
  const words = text
    .trim()
    .toLowerCase()
    .replace(/\d+[.)]?/g, ' ')
    .split(/\s+/)
    .filter((word) => word !== '')
    .join(' ');
  let seed: Uint8Array;
  try {
    seed = mnemonicToEntropy(words, wordlist);
  } catch (cause) {
    throw new CliError(
      'signer.words_wrong',
      'These are not the words of a recovery key: one is missing, misspelt or out of its place.',
      'There are 24, in the order in which they were printed.',
      { cause },
    );
  }
  const signer = seed.length === 32 ? signerFromSeed(seed) : undefined;
  if (signer?.key === expected) return signer;
  throw new CliError(
    'signer.words_other',
    'These are the words of another recovery key than the one that the signer set lists.',
    'Is it the paper of this cluster, and the newest one? writ signer history says when it changed.',
  );
}

function readAfter({ chain, newest }: HeldSets, text: string | undefined): HeldSet {
  if (text === undefined) return newest;
  const found = chain.find(({ set }) => String(set.version) === text);
  if (found) return found;
  throw new CliError(
    'usage.option',
    `--after ${text} is no version that is held here.`,
    'See: writ signer history',
  );
}

function findWhom({ newest }: HeldSets, name: string | undefined): Person {
  const { persons, changers } = newest.set;
  const found = persons.filter(({ id, name: known }) =>
    name === undefined ? changers.includes(id) : known === name,
  );
  const [person, ...others] = found;
  if (person && others.length === 0) return person;
  throw new CliError(
    'selector.none',
    name === undefined
      ? 'Several persons change this signer set.'
      : `The signer set has nobody called ${name}.`,
    `Say who you are: --person ${persons.map((one) => one.name).join(', --person ')}`,
  );
}

const numbered = (words: string): string =>
  words
    .split(' ')
    .map((word, at) => `${String(at + 1).padStart(2)}. ${word}`)
    .join('\n');
