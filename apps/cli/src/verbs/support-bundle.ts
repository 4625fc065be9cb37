import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { AgentView } from '@writ/contract';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { textOption } from '../read/read-options.ts';
import { openSession } from '../session/open-session.ts';
import { bytesText } from '../show/quantities.ts';
import {
  aboutHere,
  configuredHere,
  contextsHere,
  type Facts,
  filesHere,
  isolationHere,
  serverSays,
  wordsOf,
} from '../support/collect-facts.ts';
import { readLog } from '../support/read-log.ts';
import { readSecrets } from '../support/read-secrets.ts';
import { makeRedactor } from '../support/redact.ts';
import { writeBundle } from '../support/write-bundle.ts';
import { reachServer } from '../up/bring-up.ts';
import { type Places, placesIn } from '../up/places.ts';
import { nameOf } from '../up/name-of.ts';
import { stateFolder } from './up.ts';

const WHAT = `What is in here: versions and this machine, the contexts without keys, the configuration and the states of
server and agents, what isolates jobs here, names and sizes of the files of the state folder, the last lines of the logs
of server and agent.

What is not: keys, tokens, invites, passwords; commands, variables, inputs, outputs and logs of jobs. What looked like a
secret has been replaced by [removed]. Look through it before you give it to anybody.
`;

/** One file for whoever helps: everything that is known here, and no secret. Works also where nothing runs. */
export async function supportBundle(call: Call): Promise<number> {
  const { options, output, surroundings } = call;
  const { settings, now } = surroundings;
  const places = placesIn(stateFolder(call), settings.toolPath);
  const host = nameOf(settings.host);
  const stamp = new Date(now()).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const folder = `writ-support-${host}-${stamp}`;
  const file = path.resolve(surroundings.cwd, textOption(options, 'file') ?? `${folder}.tar.gz`);

  const secrets = await readSecrets({ configFolder: settings.configFolder, state: places.state });
  const redact = makeRedactor(settings.token === undefined ? secrets : [...secrets, settings.token]);
  const texts = new Map<string, string>();
  for (const { name, value } of await collect(call, places))
    texts.set(name, redact(typeof value === 'string' ? value : `${JSON.stringify(value, null, 2)}\n`));
  await writeBundle(file, folder, texts, now());

  const { size } = await stat(file);
  output.answer({
    value: { file, bytes: size, holds: [...texts.keys()] },
    ids: [file],
    head: ['file', 'bytes'],
    rows: [[file, String(size)]],
    text: `${file} (${bytesText(size)})`,
  });
  output.note(
    `  · without keys, tokens and anything of jobs; look through it before you give it away: tar tzf`,
  );
  return EXIT.ok;
}

async function collect(call: Call, places: Places): Promise<Facts[]> {
  const { surroundings } = call;
  let agents: readonly AgentView[] = [];
  let server: Facts;
  try {
    const said = await askServer(call, places);
    agents = said.agents;
    server = said.facts;
  } catch (error) {
    server = { name: 'server.json', value: { why: wordsOf(error) } };
  }
  return [
    { name: 'README.txt', value: WHAT },
    aboutHere(surroundings, places),
    await contextsHere(surroundings).catch((error: unknown): Facts => ({
      name: 'contexts.json',
      value: { why: wordsOf(error) },
    })),
    await configuredHere(places),
    server,
    await isolationHere(places, agents),
    await filesHere(places),
    { name: 'server.log', value: await readLog(places.serverLog) },
    { name: 'agent.log', value: await readLog(places.agentLog) },
  ];
}

/** The server of this machine, else the one that commands are meant for. */
async function askServer(
  { options, surroundings }: Call,
  places: Places,
): Promise<{ facts: Facts; agents: AgentView[] }> {
  await using reached = await reachServer(places);
  if (reached !== undefined) return await serverSays(reached.client);
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  return await serverSays(session.client);
}
