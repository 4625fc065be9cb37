import { check, Id } from '@writ/contract';
import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { textOption } from '../read/read-options.ts';
import { openSession } from '../session/open-session.ts';

const idCheck = check(Id);
const isId = (text: string): boolean => idCheck.is(text);

export async function tokenRevoke({ args, options, output, surroundings }: Call): Promise<number> {
  const [id = ''] = args;
  if (!isId(id))
    throw new CliError('selector.none', `“${id}” is not the id of a token.`, 'See: writ token list');
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  await session.client.revokeToken(id);
  output.answer({ value: { revoked: id }, ids: [id], head: ['revoked'], rows: [[id]] });
  return EXIT.ok;
}
