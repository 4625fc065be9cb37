import type { Call } from '../command-spec.ts';
import { CliError } from '../cli-error.ts';
import { EXIT } from '../exit-codes.ts';
import { textOption } from '../read/read-options.ts';
import { openSession } from '../session/open-session.ts';
import { parseSeconds } from '../show/quantities.ts';

const DEFAULT_SECONDS = 30 * 86_400;
const MOST_DAYS = 366;

export async function tokenCreate({ args, options, output, surroundings }: Call): Promise<number> {
  const [name = ''] = args;
  if (name.trim() === '')
    throw new CliError('usage.argument', 'The name of the token is empty.', 'writ token create ci');
  const role = textOption(options, 'role') ?? 'member';
  if (role !== 'administrator' && role !== 'member')
    throw new CliError('usage.option', `--role ${role} is none.`, 'Write administrator or member.');
  const expires = textOption(options, 'expires');
  const expiresSeconds =
    expires === undefined ? DEFAULT_SECONDS : parseSeconds(expires, '--expires', MOST_DAYS);
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const token = await session.client.makeToken({ name, role, expiresSeconds });
  output.answer({ value: token, ids: [token.id], head: ['token'], rows: [[token.token]], text: token.token });
  output.note(`It is shown this once, and holds until ${token.expires}.`);
  return EXIT.ok;
}
