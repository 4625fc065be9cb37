import { makeInvite } from '@writ/trust';
import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { readLabel } from '../job/read-wish.ts';
import { instantText } from '../show/instant-text.ts';
import { isName } from '../read/is-name.ts';
import { listOption, textOption } from '../read/read-options.ts';
import { openSession } from '../session/open-session.ts';

/** As whoever joins reads it. */
const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/;

/** Made and signed here, from the pins held here. The server gets the public half; addresses decide nothing. */
export async function invite({ options, output, surroundings }: Call): Promise<number> {
  const name = textOption(options, 'name') ?? null;
  if (name !== null && !isName(name))
    throw new CliError(
      'usage.option',
      `--name ${name} cannot be a name.`,
      'Use small letters, digits and -.',
    );
  const labels = listOption(options, 'label')
    .map(readLabel)
    .map((label) => ({ name: label.name, value: label.value ?? '' }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const queues = listOption(options, 'queue');
  for (const queue of queues) {
    if (!isName(queue) && queue !== '*')
      throw new CliError(
        'usage.option',
        `--queue ${queue} is not the name of a queue.`,
        'Use small letters, digits and -.',
      );
  }
  const named = listOption(options, 'address');
  for (const address of named) {
    if (!ADDRESS.test(address))
      throw new CliError(
        'usage.option',
        `--address ${address} is not host:port.`,
        'Write --address host:7411',
      );
  }
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const key = await session.key();
  await session.advance(await session.client.readTrust());
  const addresses = named.length > 0 ? named : (await session.client.readCluster()).agentAddresses;
  if (addresses.length === 0)
    throw new CliError(
      'usage.option',
      'The server names no address for agents.',
      'Say it: --address host:7411',
    );
  const made = makeInvite(
    session.sets,
    { person: key.person, signer: key.signer },
    { role: 'agent', name, labels, queues: queues.length > 0 ? queues : ['*'], addresses },
    surroundings.now(),
    surroundings.random,
  );
  await session.client.makeInvite(made.envelope);
  const command = `writ join ${made.text}`;
  output.answer({
    value: { invite: made.text, digest: made.digest, until: instantText(made.until), command },
    ids: [made.text],
    head: ['invite'],
    rows: [[made.text]],
    text: `Works once, for 15 minutes. On the other machine:\n  ${command}`,
  });
  output.note(
    output.paint('dim', 'It is a secret until it is used. In scripts: writ join - reads it from stdin.'),
  );
  return EXIT.ok;
}
