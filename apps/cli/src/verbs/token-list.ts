import { readAll } from '@writ/client';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { textOption } from '../read/read-options.ts';
import { openSession } from '../session/open-session.ts';

export async function tokenList({ options, output, surroundings }: Call): Promise<number> {
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const tokens = await readAll((asked) => session.client.listTokens(asked));
  output.answer({
    value: { tokens },
    ids: tokens.map(({ id }) => id),
    head: ['id', 'name', 'role', 'expires', 'last used'],
    rows: tokens.map(({ id, name, role, expires, lastUsed }) => [
      id,
      name,
      role,
      expires,
      lastUsed ?? 'never',
    ]),
  });
  return EXIT.ok;
}
