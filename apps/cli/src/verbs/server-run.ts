import { makeFolder } from '@writ/trust/node';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { textOption } from '../read/read-options.ts';
import { parseWhole } from '../show/quantities.ts';
import { nameOf } from '../up/name-of.ts';
import { onStopSignals } from '../up/on-stop-signals.ts';
import { placesIn } from '../up/places.ts';
import { readDatabase } from '../up/read-database.ts';
import { serverProgram } from '../up/server-program.ts';
import { runForeground } from '../up/run-foreground.ts';
import { readLease, stateFolder } from './up.ts';

export async function serverRun(call: Call): Promise<number> {
  const { options, surroundings } = call;
  const number = (name: string, flag: string): number | undefined => {
    const text = textOption(options, name);
    return text === undefined ? undefined : parseWhole(text, flag, 0, 65_535);
  };
  const places = placesIn(stateFolder(call), surroundings.settings.toolPath);
  const wish = {
    name: textOption(options, 'name') ?? nameOf(surroundings.settings.host),
    port: number('port', '--port'),
    agentPort: number('agentPort', '--agent-port'),
    host: textOption(options, 'host'),
    database: readDatabase(call),
    leaseSeconds: readLease(call),
  };
  await makeFolder(places.server, 0o700);
  const running = runForeground(serverProgram(places, wish, true).argv, {
    PATH: surroundings.settings.toolPath,
    HOME: '/',
    USER: 'writ',
    LANG: 'C.UTF-8',
  });
  using _signals = onStopSignals(() => running.stop());
  return (await running.ended) ? EXIT.ok : EXIT.error;
}
