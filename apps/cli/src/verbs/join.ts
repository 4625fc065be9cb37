import { joinCluster } from '@writ/agent';
import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { askText, readStdin } from '../read/ask.ts';
import { isName } from '../read/is-name.ts';
import { readCounter } from '../read/read-counter.ts';
import { isGiven, listOption, textOption } from '../read/read-options.ts';
import { parseWhole } from '../show/quantities.ts';
import { startAgentDetached } from '../up/bring-up.ts';
import { followAgentLog } from '../up/follow-agent-log.ts';
import { nameOf } from '../up/name-of.ts';
import { ownAgentFolder } from '../up/own-agent-folder.ts';
import { placesIn } from '../up/places.ts';
import { readRunning } from '../up/running-file.ts';
import { stateFolder } from './up.ts';

/** Everything is verified before anything is proved: see @writ/agent. */
export async function join(call: Call): Promise<number> {
  const { options, output, surroundings } = call;
  const name = textOption(options, 'name') ?? nameOf(surroundings.settings.host);
  if (!isName(name))
    throw new CliError(
      'usage.option',
      `--name ${name} cannot be a name.`,
      'Use small letters, digits and -.',
    );
  const slots = textOption(options, 'slots');
  const places = placesIn(stateFolder(call), surroundings.settings.toolPath);
  const stop = new AbortController();
  using _interrupts = surroundings.onInterrupt(() => stop.abort());
  const joined = await joinCluster({
    invite: await readInvite(call),
    name,
    folder: places.agent,
    ...(slots === undefined ? {} : { slots: parseWhole(slots, '--slots', 1, 62) }),
    counters: listOption(options, 'counter').map((text) => readCounter(text, '--counter')),
    ...(isGiven(options, 'bare') ? { profiles: ['strict', 'user', 'bare'] as const } : {}),
    now: surroundings.now,
    random: surroundings.random,
    signal: stop.signal,
  });
  await ownAgentFolder(places);
  const tick = output.paint('green', '✓');
  output.note(`  ${tick} server certificate matches the invite`);
  output.note(`  ${tick} key made here, certificate issued: agent/${joined.name}, renews itself`);
  output.note(`  ${tick} admitted; signer set pinned, cluster ${joined.cluster}`);
  let isStarted = false;
  if (options['start'] !== false) {
    if ((await readRunning(places)).agent === undefined) {
      const program = await startAgentDetached(places, surroundings);
      await followAgentLog(program, places, surroundings);
    }
    isStarted = true;
    output.note(`  ${tick} connected, no port open here`);
  } else {
    output.note('  → start it                     writ agent start');
  }
  output.answer({
    value: { ...joined, state: places.state, isStarted },
    ids: [joined.name],
    head: ['agent', 'cluster'],
    rows: [[joined.name, joined.cluster]],
    text: '',
  });
  return EXIT.ok;
}

async function readInvite({ args, options, surroundings }: Call): Promise<string> {
  const [text] = args;
  if (text === '-') return (await readStdin(surroundings, 4096)).trim();
  if (text !== undefined) return text;
  return await askText(
    surroundings,
    options,
    'The invite',
    'Give it as an argument, or on stdin: writ join -',
  );
}
