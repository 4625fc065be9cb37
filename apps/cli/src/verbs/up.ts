import { existsSync } from 'node:fs';
import path from 'node:path';
import { type AgentView, decodeBase64 } from '@writ/contract';
import { digestOf } from '@writ/trust/digest';
import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { isName } from '../read/is-name.ts';
import { isGiven, textOption } from '../read/read-options.ts';
import { bytesText, parseWhole } from '../show/quantities.ts';
import { admitOwnAgent, reachServer, startAgentDetached, startServer, waitForAgent } from '../up/bring-up.ts';
import { type Claimed, claimCluster, nameOf } from '../up/claim-cluster.ts';
import { type Places, placesIn } from '../up/places.ts';
import { readRunning } from '../up/running-file.ts';
import type { ServerWish } from '../up/server-program.ts';
import { takeDown } from '../up/take-down.ts';
import { VERSION } from '../version.ts';

/** One server, one person, one agent on this machine; again: what runs. */
export async function up(call: Call): Promise<number> {
  const { options, output, surroundings } = call;
  const wish = readUpWish(call);
  const places = placesIn(stateFolder(call), surroundings.settings.toolPath);
  output.note(`writ ${VERSION}  ·  state ${places.state}`);
  const tick = output.paint('green', '✓');
  const found = await reachServer(places);
  await using reached = found ?? (await startServer(places, wish.server, surroundings));
  const claimed = await claimCluster(reached.client, reached.view, places, surroundings);
  const view = await reached.client.readCluster();
  const root = decodeBase64(view.authority) ?? new Uint8Array();
  const fingerprint = digestOf(root)
    .slice('sha256:'.length)
    .toUpperCase()
    .replaceAll(/(..)(?=.)/g, '$1:');
  output.note(
    `  ${tick} authority ${claimed.isNew ? 'created' : 'kept   '}            SHA-256 ${shorten(fingerprint)}`,
  );
  output.note(
    `  ${tick} your signing key ${claimed.isNew ? 'created' : 'kept   '}     ${claimed.key.name}  (in your account, not in the server's state)`,
  );
  output.note(
    `  ${tick} server ${found ? 'is listening' : 'listening   '}          ${view.peopleAddresses[0] ?? '-'}   agents: ${view.agentAddresses[0] ?? '-'}`,
  );
  const agent = wish.isWithAgent ? await bringAgentUp(call, reached, places, claimed, wish) : undefined;
  output.note(`  · your key is on this machine too: whoever owns it is you`);
  output.note(`  → try                          writ run -- uname -a`);
  output.note(`  → add a machine                writ invite`);
  const running = await readRunning(places);
  output.answer({
    value: {
      cluster: claimed.sets.cluster,
      context: claimed.context.name,
      state: places.state,
      wasRunning: found !== undefined,
      authority: fingerprint,
      key: claimed.key.name,
      peopleAddresses: view.peopleAddresses,
      agentAddresses: view.agentAddresses,
      agent: agent ?? null,
      isKeyHere: true,
      processes: { server: running.server ?? null, agent: running.agent ?? null },
    },
    ids: [claimed.sets.cluster],
    head: ['cluster', 'people', 'agents'],
    rows: [[claimed.sets.cluster, view.peopleAddresses[0] ?? '', view.agentAddresses[0] ?? '']],
    text: '',
  });
  if (isGiven(options, 'foreground')) return await stay(call, places);
  return EXIT.ok;
}

interface UpWish {
  readonly server: ServerWish;
  readonly name: string;
  readonly slots: number | undefined;
  readonly isWithAgent: boolean;
  readonly isBare: boolean;
}

function readUpWish({ options, surroundings }: Call): UpWish {
  const number = (name: string, flag: string, least: number, most: number): number | undefined => {
    const text = textOption(options, name);
    return text === undefined ? undefined : parseWhole(text, flag, least, most);
  };
  const name = textOption(options, 'name') ?? nameOf(surroundings.settings.host);
  if (!isName(name))
    throw new CliError(
      'usage.option',
      `--name ${name} cannot be a name.`,
      'Use small letters, digits and -.',
    );
  return {
    name,
    server: {
      name,
      port: number('port', '--port', 0, 65_535),
      agentPort: number('agentPort', '--agent-port', 0, 65_535),
      host: textOption(options, 'host'),
    },
    slots: number('slots', '--slots', 1, 62),
    isWithAgent: options['agent'] !== false,
    isBare: isGiven(options, 'bare'),
  };
}

export const stateFolder = ({ options, surroundings }: Call): string => {
  const dir = textOption(options, 'dir');
  return dir === undefined ? surroundings.settings.stateFolder : path.resolve(surroundings.cwd, dir);
};

async function bringAgentUp(
  call: Call,
  reached: Parameters<typeof admitOwnAgent>[0],
  places: Places,
  claimed: Claimed,
  wish: UpWish,
): Promise<AgentView | undefined> {
  const { output, surroundings } = call;
  const tick = output.paint('green', '✓');
  const isKnown = existsSync(path.join(places.agent, 'machine.json'));
  if (!isKnown)
    await admitOwnAgent(reached, places, { ...wish, key: claimed.key, sets: claimed.sets }, surroundings);
  const running = await readRunning(places);
  if (running.agent !== undefined) {
    output.note(`  ${tick} this machine's agent runs    process ${running.agent}`);
    return undefined;
  }
  const program = await startAgentDetached(places, surroundings);
  const agent = await waitForAgent(program, reached.client, places, surroundings);
  const facts = [
    `${agent.cores} cores`,
    bytesText(agent.memoryBytes ?? 0),
    `${((agent.megaflops ?? 0) / 1000).toFixed(1)} GFLOPS`,
  ].join(', ');
  const isolation = agent.profiles.map(({ profile }) => profile).join(', ');
  const who = claimed.sets.newest.set.persons.map(({ name }) => name).join(', ');
  output.note(
    `  ${tick} this machine ${isKnown ? 'is back  ' : 'joined   '}         ${facts} · isolation: ${isolation || 'none'} · runs only jobs signed by ${who}`,
  );
  if (agent.profiles.length === 0)
    output.warn(
      'Nothing isolates jobs here, so this agent takes none. Install bubblewrap (apt-get install bubblewrap), then: writ down && writ up',
    );
  return agent;
}

const shorten = (fingerprint: string): string => `${fingerprint.slice(0, 5)}:…:${fingerprint.slice(-2)}`;

async function stay(call: Call, places: Places): Promise<number> {
  const { surroundings, output } = call;
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
