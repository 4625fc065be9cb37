import { allSets } from '@writ/trust';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { textOption } from '../read/read-options.ts';
import { openSession } from '../session/open-session.ts';

/** Public, and proves itself to whoever knows the cluster id. */
export async function contextExport({ options, output, surroundings }: Call): Promise<number> {
  await using session = await openSession(surroundings, { context: textOption(options, 'context') });
  const { sets } = session;
  const value = { cluster: sets.cluster, sets: allSets(sets) };
  const text = JSON.stringify(value);
  output.answer({ value, ids: [sets.cluster], head: [], rows: [[text]], text });
  output.note(
    `cluster ${sets.cluster}: tell it by another way than the file, and compare it there with --cluster`,
  );
  return EXIT.ok;
}
