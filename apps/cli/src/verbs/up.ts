import { existsSync } from 'node:fs';
import path from 'node:path';
import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { readCounter } from '../read/read-counter.ts';
import { isGiven, listOption, textOption } from '../read/read-options.ts';
import { parseSeconds, parseWhole } from '../show/quantities.ts';
import type { UpWish } from '../up/bring-cluster-up.ts';
import { launchServer } from '../up/launch-server.ts';
import { nameOf } from '../up/name-of.ts';
import { type Places, placesIn } from '../up/places.ts';
import { readDatabase } from '../up/read-database.ts';
import { VERSION } from '../version.ts';

/** One server, one person, one agent on this machine; again: what runs. */
export async function up(call: Call): Promise<number> {
  const { options, output, surroundings } = call;
  const wish = await readUpWish(call);
  const places = placesIn(stateFolder(call), surroundings.settings.toolPath);
  refuseJoined(places);
  output.note(`writ ${VERSION}  ·  state ${places.state}`);
  const program = await launchServer(places, wish.server, surroundings);
  // Read while the server starts.
  const { bringClusterUp } = await import('../up/bring-cluster-up.ts');
  if (program === undefined) sayUnused(call);
  try {
    await bringClusterUp(call, wish, places, program);
  } catch (error) {
    // One that could not open its ports is of no use to anybody.
    if (program !== undefined && error instanceof CliError && error.code === 'listen.port_busy')
      await (await import('../up/take-down.ts')).takeDown(places, surroundings);
    throw error;
  }
  if (isGiven(options, 'foreground')) return await stay(call, places);
  return EXIT.ok;
}

/** Who only wants the agent of this machine back must not get a second cluster instead. */
function refuseJoined(places: Places): void {
  if (existsSync(places.server) || !existsSync(path.join(places.agent, 'machine.json'))) return;
  throw new CliError(
    'up.joined',
    `${places.state} is that of an agent that joined another server.`,
    'Start the agent: writ agent start. A server of its own beside it: writ up --dir FOLDER.',
  );
}

const SERVER_OPTIONS = {
  host: '--host',
  port: '--port',
  agentPort: '--agent-port',
  database: '--database',
  lease: '--lease',
};

/** What is asked of a server that runs already it does not hear. */
function sayUnused({ options, output }: Call): void {
  const unused = Object.entries(SERVER_OPTIONS).flatMap(([name, flag]) =>
    textOption(options, name) === undefined ? [] : [flag],
  );
  if (unused.length > 0)
    output.warn(
      `A server runs here already, so ${unused.join(', ')} changed nothing. For another one: writ down, then writ up again with it.`,
    );
}

async function readUpWish(call: Call): Promise<UpWish> {
  const { options, surroundings } = call;
  const number = (name: string, flag: string, least: number, most: number): number | undefined => {
    const text = textOption(options, name);
    return text === undefined ? undefined : parseWhole(text, flag, least, most);
  };
  const given = textOption(options, 'name');
  if (given !== undefined && !(await import('../read/is-name.ts')).isName(given))
    throw new CliError(
      'usage.option',
      `--name ${given} cannot be a name.`,
      'Use small letters, digits and -.',
    );
  const name = given ?? nameOf(surroundings.settings.host);
  return {
    name,
    server: {
      name,
      port: number('port', '--port', 0, 65_535),
      agentPort: number('agentPort', '--agent-port', 0, 65_535),
      host: textOption(options, 'host'),
      database: readDatabase(call),
      leaseSeconds: readLease(call),
    },
    slots: number('slots', '--slots', 1, 62),
    counters: listOption(options, 'counter').map((text) => readCounter(text, '--counter')),
    isWithAgent: options['agent'] !== false,
    isBare: isGiven(options, 'bare'),
  };
}

/** The bounds are the server's own. */
export function readLease({ options }: Call): number | undefined {
  const text = textOption(options, 'lease');
  if (text === undefined) return undefined;
  const seconds = parseSeconds(text, '--lease');
  if (seconds <= 3600) return seconds;
  throw new CliError('usage.option', `--lease ${text} is too long.`, 'An hour is the most: --lease 1h');
}

export const stateFolder = ({ options, surroundings }: Call): string => {
  const dir = textOption(options, 'dir');
  return dir === undefined ? surroundings.settings.stateFolder : path.resolve(surroundings.cwd, dir);
};

async function stay(call: Call, places: Places): Promise<number> {
  const { surroundings, output } = call;
  const [{ readRunning }, { takeDown }] = await Promise.all([
    import('../up/running-file.ts'),
    import('../up/take-down.ts'),
  ]);
  const stop = new AbortController();
  using _interrupts = surroundings.onInterrupt(() => stop.abort());
  output.note('running; Ctrl-C stops it');
  while (!stop.signal.aborted) {
    await surroundings.wait(500, stop.signal);
    if (!stop.signal.aborted && (await readRunning(places)).server === undefined) {
      throw new CliError('up.not_running', 'The server ended by itself.', `See its log: ${places.serverLog}`);
    }
  }
  await takeDown(places, surroundings);
  return EXIT.ok;
}
