import { existsSync } from 'node:fs';
import path from 'node:path';
import { readMachineFile } from '@writ/agent/machine-file';
import { readAll } from '@writ/client';
import { type AgentView, type Counter, decodeBase64 } from '@writ/contract';
import { digestOf } from '@writ/trust/digest';
import type { Call, Options } from '../command-spec.ts';
import { VERSION } from '../version.ts';
import { bytesText } from '../show/quantities.ts';
import { admitOwnAgent, type Reached, startAgentDetached, waitForAgent, waitForServer } from './bring-up.ts';
import { type Claimed, claimCluster } from './claim-cluster.ts';
import type { Places } from './places.ts';
import { readRunning } from './running-file.ts';
import type { ServerWish } from './server-program.ts';
import type { Detached } from './start-detached.ts';

export interface UpWish {
  readonly server: ServerWish;
  readonly name: string;
  readonly slots: number | undefined;
  readonly counters: readonly Counter[];
  readonly isWithAgent: boolean;
  readonly isBare: boolean;
}

/** Everything that `writ up` does once the server has been started, and what it says about it. */
export async function bringClusterUp(
  call: Call,
  wish: UpWish,
  places: Places,
  program: Detached | undefined,
): Promise<void> {
  const { output, surroundings } = call;
  const wasRunning = program === undefined;
  const tick = output.paint('green', '✓');
  await using reached = await waitForServer(program, places, surroundings);
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
    `  ${tick} server ${wasRunning ? 'is listening' : 'listening   '}          ${view.peopleAddresses[0] ?? '-'}   agents: ${view.agentAddresses[0] ?? '-'}`,
  );
  if (view.writ !== VERSION)
    output.warn(
      `The server that runs here is writ ${view.writ}, this program is ${VERSION}. To go over to it: writ down --keep-agent, then writ up as before. Jobs on agents go on meanwhile.`,
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
      wasRunning,
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
}

async function bringAgentUp(
  call: Call,
  reached: Reached,
  places: Places,
  claimed: Claimed,
  wish: UpWish,
): Promise<AgentView | undefined> {
  const { output, surroundings } = call;
  const tick = output.paint('green', '✓');
  const isKnown = existsSync(path.join(places.agent, 'machine.json'));
  if (isKnown) sayUnusedByAgent(call, places);
  else await admitOwnAgent(reached, places, { ...wish, key: claimed.key, sets: claimed.sets }, surroundings);
  const running = await readRunning(places);
  if (running.agent !== undefined) {
    output.note(`  ${tick} this machine's agent runs    process ${running.agent}`);
    await sayOldAgent(call, reached, places);
    return undefined;
  }
  const program = await startAgentDetached(places, surroundings);
  const agent = await waitForAgent(program, reached.client, places, surroundings);
  const facts = [
    `${agent.cores} cores`,
    bytesText(agent.memoryBytes ?? 0),
    // Measured once it has joined, so as a rule not yet known.
    ...(agent.megaflops ? [`${(agent.megaflops / 1000).toFixed(1)} GFLOPS`] : []),
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

/** What its owner decided when it was made stands in its machine file. */
function sayUnusedByAgent({ options, output }: Call, places: Places): void {
  const unused = Object.entries({ slots: '--slots', counter: '--counter', bare: '--bare' }).flatMap(
    ([name, flag]) => (isAsked(options[name]) ? [flag] : []),
  );
  if (unused.length > 0)
    output.warn(
      `This machine's agent was made before, so ${unused.join(', ')} changed nothing. To change it: ${path.join(places.agent, 'machine.json')}, then writ down and writ up.`,
    );
}

const isAsked = (value: Options[string]): boolean =>
  typeof value === 'string' || value === true || (Array.isArray(value) && value.length > 0);

async function sayOldAgent({ output }: Call, { client }: Reached, places: Places): Promise<void> {
  const { name } = await readMachineFile(places.agent);
  const agents = await readAll((asked) => client.listAgents(asked));
  const old = agents.find((one) => one.name === name && one.writ !== null && one.writ !== VERSION);
  if (old !== undefined)
    output.warn(
      `This machine's agent is writ ${old.writ}, this program is ${VERSION}. To go over to it: writ down, then writ up. What it runs then starts again, here or elsewhere.`,
    );
}

const shorten = (fingerprint: string): string => `${fingerprint.slice(0, 5)}:…:${fingerprint.slice(-2)}`;
