import { readMachineFile } from '@writ/agent/machine-file';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { startAgentDetached } from '../up/bring-up.ts';
import { followAgentLog } from '../up/follow-agent-log.ts';
import { checkMachineFile } from '../up/own-agent-folder.ts';
import { placesIn } from '../up/places.ts';
import { readRunning } from '../up/running-file.ts';
import { stateFolder } from './up.ts';

/** Again: says that it runs. */
export async function agentStart(call: Call): Promise<number> {
  const { output, surroundings } = call;
  const places = placesIn(stateFolder(call), surroundings.settings.toolPath);
  await checkMachineFile(places);
  const { name } = await readMachineFile(places.agent);
  const before = (await readRunning(places)).agent;
  if (before === undefined)
    await followAgentLog(await startAgentDetached(places, surroundings), places, surroundings);
  const running = before ?? (await readRunning(places)).agent ?? null;
  output.answer({
    value: { name, state: places.state, wasRunning: before !== undefined, process: running },
    ids: [name],
    head: ['agent', 'process'],
    rows: [[name, String(running ?? '')]],
    text:
      before === undefined ? `agent ${name} is connected` : `agent ${name} runs already, process ${before}`,
  });
  return EXIT.ok;
}
