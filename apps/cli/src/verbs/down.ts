import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { isGiven } from '../read/read-options.ts';
import { placesIn } from '../up/places.ts';
import { takeDown } from '../up/take-down.ts';
import { stateFolder } from './up.ts';

/** Nothing to stop is no error: afterwards nothing runs, as asked. */
export async function down(call: Call): Promise<number> {
  const { options, output, surroundings } = call;
  const places = placesIn(stateFolder(call), surroundings.settings.toolPath);
  const stopped = await takeDown(places, surroundings, { keepsAgent: isGiven(options, 'keepAgent') });
  output.answer({
    value: { state: places.state, stopped },
    ids: stopped,
    head: ['stopped'],
    rows: stopped.map((part) => [part]),
    text: stopped.length === 0 ? `nothing runs in ${places.state}` : `stopped: ${stopped.join(', ')}`,
  });
  return EXIT.ok;
}
