import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { isGiven, textOption } from '../read/read-options.ts';
import { openSession } from '../session/open-session.ts';
import { bytesText, parseSeconds } from '../show/quantities.ts';

const MOST_DAYS = 36_600;

export async function prune({ options, output, surroundings }: Call): Promise<number> {
  const olderThan = textOption(options, 'olderThan');
  const olderThanSeconds =
    olderThan === undefined ? null : parseSeconds(olderThan, '--older-than', MOST_DAYS);
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const pruned = await session.client.prune({ isDryRun: isGiven(options, 'dryRun'), olderThanSeconds });
  output.answer({
    value: pruned,
    ids: [],
    head: ['jobs', 'tasks', 'receipts', 'files', 'bytes'],
    rows: [
      [...[pruned.jobs, pruned.tasks, pruned.receipts, pruned.files].map(String), bytesText(pruned.bytes)],
    ],
  });
  output.note(pruned.isDryRun ? 'Nothing was removed. Without --dry-run these go.' : 'These are gone.');
  return EXIT.ok;
}
