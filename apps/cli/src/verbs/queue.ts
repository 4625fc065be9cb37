import type { QueueView, SetQueue } from '@writ/contract';
import { readAll } from '@writ/client';
import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { isName } from '../read/is-name.ts';
import { isGiven, listOption, textOption } from '../read/read-options.ts';
import { readPriority } from '../read/read-priority.ts';
import { openSession, type Session } from '../session/open-session.ts';
import { keptText, parseSeconds, parseWhole } from '../show/quantities.ts';

const MOST_DAYS = 36_600;

export async function queueList({ options, output, surroundings }: Call): Promise<number> {
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const queues = await readAll((asked) => session.client.listQueues(asked));
  output.answer({
    value: { queues },
    ids: queues.map(({ name }) => name),
    head: ['queue', 'state', 'running', 'waiting', 'most', 'priority', 'people', 'keep', 'agents'],
    rows: queues.map(rowOf),
  });
  return EXIT.ok;
}

export async function queueSet(call: Call): Promise<number> {
  const { options } = call;
  const most = textOption(options, 'most');
  const priority = textOption(options, 'priority');
  const people = listOption(options, 'person');
  const keep = textOption(options, 'keep');
  return await change(call, (before, session) => ({
    ...before,
    ...(most !== undefined && {
      maxRunning: most === 'any' ? null : parseWhole(most, '--most', 1, 1_000_000),
    }),
    ...(priority !== undefined && { priority: readPriority(priority, '--priority') }),
    ...(people.length > 0 && { people: people.map((name) => personOf(session, name)) }),
    ...(isGiven(options, 'everybody') && { people: null }),
    ...(keep !== undefined && {
      keepSeconds: keep === 'default' ? null : parseSeconds(keep, '--keep', MOST_DAYS),
    }),
  }));
}

export const queuePause = (call: Call): Promise<number> =>
  change(call, (before) => ({ ...before, isPaused: true }));
export const queueResume = (call: Call): Promise<number> =>
  change(call, (before) => ({ ...before, isPaused: false }));

export async function queueRemove({ args, options, output, surroundings }: Call): Promise<number> {
  const name = readName(args);
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  await session.client.removeQueue(name);
  output.answer({ value: { queue: name }, ids: [name], head: ['queue'], rows: [[name]] });
  output.note('Its jobs stay. Nothing new is taken for it, unless an agent is admitted for it by name.');
  return EXIT.ok;
}

async function change(
  { args, options, output, surroundings }: Call,
  act: (before: SetQueue, session: Session) => SetQueue,
): Promise<number> {
  const name = readName(args);
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const queues = await readAll((asked) => session.client.listQueues(asked));
  const known = queues.find((queue) => queue.name === name);
  const before: SetQueue = {
    isPaused: known?.isPaused ?? false,
    maxRunning: known?.maxRunning ?? null,
    priority: known?.priority ?? 0,
    people: known?.people?.map(({ id }) => id) ?? null,
    keepSeconds: known?.keepSeconds ?? null,
  };
  const queue = await session.client.setQueue(name, act(before, session));
  output.answer({
    value: { queue },
    ids: [queue.name],
    head: ['queue', 'state', 'running', 'waiting', 'most', 'priority', 'people', 'keep', 'agents'],
    rows: [rowOf(queue)],
  });
  if (queue.agents.length === 0) output.warn(`No agent is admitted for ${name}: writ invite --queue ${name}`);
  return EXIT.ok;
}

function readName([name = '']: readonly string[]): string {
  if (isName(name)) return name;
  throw new CliError(
    'usage.argument',
    `“${name}” is not the name of a queue.`,
    'Small letters, digits and -: writ queue list',
  );
}

/** By the name that the signer set, as pinned here, gives them. */
function personOf({ sets }: Session, name: string): string {
  const { persons } = sets.current;
  const person = persons.find((one) => one.name === name || one.id === name);
  if (person) return person.id;
  throw new CliError(
    'selector.none',
    `The signer set has no person ${name}.`,
    `There are: ${persons.map((one) => one.name).join(', ')}.`,
  );
}

const rowOf = (queue: QueueView): string[] => [
  queue.name,
  queue.isPaused ? 'paused' : 'open',
  String(queue.running),
  queue.waiting >= 10_000 ? '10000 or more' : String(queue.waiting),
  queue.maxRunning === null ? '' : String(queue.maxRunning),
  String(queue.priority),
  queue.people === null ? 'everybody' : queue.people.map(({ name }) => name).join(','),
  queue.keepSeconds === null ? '' : keptText(queue.keepSeconds),
  queue.agents.join(','),
];
