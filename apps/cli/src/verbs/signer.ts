import type { Person } from '@writ/contract';
import { endKeys, endOwnKey, type HeldSet, type HeldSets, type KeyEnd } from '@writ/trust';
import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { instantText } from '../show/instant-text.ts';
import { confirm } from '../read/ask.ts';
import { readKept } from '../read/read-kept.ts';
import { isGiven, textOption } from '../read/read-options.ts';
import { changeSigners } from '../session/change-signers.ts';
import { keepAgents, sayLost } from '../session/kept-agents.ts';
import { openSession, type Session } from '../session/open-session.ts';
import { describeChange, keyState, personState, rightsText, signedText } from '../show/signer-words.ts';

export async function signerList({ options, output, surroundings }: Call): Promise<number> {
  await using session = await openShown(options, surroundings);
  const { sets } = session;
  const { current } = sets;
  output.answer({
    value: {
      version: sets.newest.set.version,
      digest: sets.newest.digest,
      cluster: sets.cluster,
      threshold: current.threshold,
      hasRecovery: current.recovery !== null,
      rivals: sets.rivals.map(refOf),
      signers: current.persons.map((person) => signerDocument(person, sets)),
    },
    ids: current.persons.map(({ name }) => name),
    head: ['signer', 'state', 'keys', 'may'],
    rows: current.persons.map((person) => [
      person.name,
      personState(person),
      String(person.keys.filter(({ ended }) => ended === null).length),
      rightsText(person, current),
    ]),
  });
  output.note(
    `Version ${sets.newest.set.version}; it takes ${current.threshold} of ${current.changers.length} to change it.`,
  );
  if (current.recovery === null)
    output.note(
      'No recovery key: who loses the last key that may change it must join every machine anew. writ signer recovery',
    );
  warnOfFork(sets, output);
  return EXIT.ok;
}

export async function signerShow({ args, options, output, surroundings }: Call): Promise<number> {
  await using session = await openShown(options, surroundings);
  const { sets } = session;
  const person = findPerson(sets, args[0]);
  output.answer({
    value: { signer: signerDocument(person, sets) },
    ids: person.keys.map(({ key }) => key),
    head: ['key', 'name', 'custody', 'state'],
    rows: person.keys.map((key) => [key.key, key.name, key.custody, keyState(key)]),
  });
  output.note(`${person.name} (${person.kind}): ${rightsText(person, sets.current)}`);
  return EXIT.ok;
}

export async function signerHistory({ options, output, surroundings }: Call): Promise<number> {
  await using session = await openShown(options, surroundings);
  const { sets } = session;
  const entries = [
    ...sets.chain.map((held) => ({ held, stands: 'holds' as const })),
    ...sets.beside.map((held) => ({
      held,
      stands: sets.rivals.includes(held) ? ('rival' as const) : ('lost' as const),
    })),
  ].sort((a, b) => a.held.set.version - b.held.set.version);
  const all = [...sets.chain, ...sets.beside];
  const shown = entries.map(({ held, stands }) => ({
    ...refOf(held),
    stands,
    time: instantText(held.set.time),
    signedBy: signedText(held, sets),
    changes: describeChange(held.set, all.find(({ digest }) => digest === held.set.previous)?.set),
  }));
  output.answer({
    value: { versions: shown },
    ids: shown.map(({ digest }) => digest),
    head: ['version', 'stands', 'time', 'signed by', 'changes'],
    rows: shown.map(({ version, stands, time, signedBy, changes }) => [
      String(version),
      stands,
      time,
      signedBy,
      changes.join('; '),
    ]),
  });
  warnOfFork(sets, output);
  return EXIT.ok;
}

export async function signerRemove(call: Call): Promise<number> {
  const { args, options, output, surroundings } = call;
  await using session = await openShown(options, surroundings);
  const person = findPerson(session.sets, args[0]);
  const named = textOption(options, 'key');
  const keys = person.keys.filter(
    ({ key, name, ended }) =>
      ended?.is !== 'compromised' && (named === undefined || key === named || name === named),
  );
  if (keys.length === 0)
    throw new CliError(
      'selector.none',
      named === undefined
        ? `${person.name} has no key left.`
        : `${person.name} has no key ${named} that could be ended.`,
      `See: writ signer show ${person.name}`,
    );
  const asked = readEnd(call);
  const { kept, lost } =
    asked.is === 'compromised'
      ? keepAgents(
          session.sets,
          await session.client.readTrust(),
          new Set(keys.map(({ key }) => key)),
          readKept(options),
        )
      : { kept: [], lost: [] };
  const end: KeyEnd = asked.is === 'compromised' ? { ...asked, kept } : asked;
  const what =
    end.is === 'compromised'
      ? `Nothing that it signed counts any more, and what runs for it ends.${sayLost(lost)}`
      : 'What it has ordered already may still run.';
  const whose = `${keys.length === 1 ? 'the key' : `${keys.length} keys`} of ${person.name}`;
  const isOwn = person.id === (await session.key()).person && keys.length === 1;
  const last =
    isOwn && isLast(session.sets, keys[0]!.key)
      ? ' Nobody can change the signer set then: every machine must be joined anew.'
      : '';
  if (!(await confirm(surroundings, options, `End ${whose} as ${end.is}? ${what}${last}`)))
    throw new CliError('interrupted', 'Nothing was done.');
  const sets = await changeSigners(session, surroundings, {
    isOwnEnd: isOwn,
    changes: isOwn
      ? [endOwnKey(person.id, keys[0]!.key, end)]
      : [
          endKeys(
            person.id,
            end,
            keys.map(({ key }) => key),
          ),
        ],
  });
  output.answer({
    value: { signer: signerDocument(findPerson(sets, person.name), sets), version: sets.newest.set.version },
    ids: [person.name],
    head: ['signer', 'state', 'version'],
    rows: [[person.name, personState(findPerson(sets, person.name)), String(sets.newest.set.version)]],
  });
  return EXIT.ok;
}

export async function signerSettle({ options, output, surroundings }: Call): Promise<number> {
  await using session = await openShown(options, surroundings);
  const { rivals } = session.sets;
  if (rivals.length === 0)
    throw new CliError(
      'signer.no_fork',
      'There is no fork: nothing is to be settled.',
      'See: writ signer history',
    );
  const all = [...session.sets.chain, ...session.sets.beside];
  for (const held of rivals)
    output.note(
      `loses: version ${held.set.version} ${held.digest}, signed by ${signedText(held, session.sets)}: ${describeChange(held.set, all.find(({ digest }) => digest === held.set.previous)?.set).join('; ')}`,
    );
  if (
    !(await confirm(
      surroundings,
      options,
      'Let the versions held here hold, and these lose? What they changed is to be signed anew.',
    ))
  )
    throw new CliError('interrupted', 'Nothing was done.');
  const sets = await changeSigners(session, surroundings, { changes: [], mayHaveRivals: true });
  output.answer({
    value: { version: sets.newest.set.version, digest: sets.newest.digest, lost: rivals.map(refOf) },
    ids: [sets.newest.digest],
    head: ['version', 'digest'],
    rows: [[String(sets.newest.set.version), sets.newest.digest]],
  });
  return EXIT.ok;
}

async function openShown(options: Call['options'], surroundings: Call['surroundings']): Promise<Session> {
  const session = await openSession(surroundings, { context: textOption(options, 'context') });
  try {
    await session.advance(await session.client.readTrust());
    return session;
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

function readEnd({ options, surroundings }: Call): KeyEnd {
  const now = surroundings.now();
  if (!isGiven(options, 'compromised')) {
    if (isGiven(options, 'letRun'))
      throw new CliError(
        'usage.option',
        '--let-run says what becomes of a key that is --compromised.',
        'Add it, or leave this out.',
      );
    return { is: 'retired', since: now };
  }
  return { is: 'compromised', since: now, kept: [], running: isGiven(options, 'letRun') ? 'finish' : 'stop' };
}

/** Without this key too few are left to change the set, and no recovery key stands in for them. */
function isLast({ current }: HeldSets, key: string): boolean {
  const left = current.persons.filter(
    ({ id, keys }) =>
      current.changers.includes(id) && keys.some((entry) => entry.ended === null && entry.key !== key),
  );
  return current.recovery === null && left.length < current.threshold;
}

function findPerson({ current }: HeldSets, name: string | undefined): Person {
  const found = current.persons.find((person) => person.name === name || person.id === name);
  if (found) return found;
  throw new CliError(
    'selector.none',
    `The signer set has nobody called ${name ?? '(no name)'}.`,
    `There are: ${current.persons.map((person) => person.name).join(', ')}.`,
  );
}

const refOf = ({ set, digest }: HeldSet) => ({ version: set.version, digest });

function signerDocument(person: Person, { current }: HeldSets) {
  const { id, name, kind, grants, keys } = person;
  return {
    id,
    name,
    kind,
    state: personState(person),
    isChanger: current.changers.includes(id),
    grants,
    keys: keys.map(({ key, name: keyName, form, custody, until, ended }) => ({
      key,
      name: keyName,
      form,
      custody,
      until: until === null ? null : instantText(until),
      ended: ended && { is: ended.is, since: instantText(ended.since) },
    })),
  };
}

function warnOfFork({ rivals }: HeldSets, output: Call['output']): void {
  for (const { set, digest } of rivals)
    output.warn(
      `two signer sets call themselves version ${set.version}; the other one is ${digest}. Nothing counts that either has removed. Look: writ signer history. Settle it: writ signer settle`,
    );
}
