import { AGENT_EXIT } from '@writ/agent/start';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { startAgentProgram } from '../up/agent-program.ts';
import { placesIn } from '../up/places.ts';
import { onStopSignals } from '../up/on-stop-signals.ts';
import { stateFolder } from './up.ts';

const graceMs = 10_000;

export async function agentRun(call: Call): Promise<number> {
  const { settings } = call.surroundings;
  const started = await startAgentProgram(placesIn(stateFolder(call), settings.toolPath), settings.toolPath);
  let isStopping = false;
  using _signals = onStopSignals(() => {
    isStopping = true;
    void started.stop(graceMs);
  });
  const { code } = await started.ended;
  if (isStopping || code === AGENT_EXIT.over) return EXIT.ok;
  return code === AGENT_EXIT.recordLost ? EXIT.recordLost : EXIT.error;
}
