import { totalmem } from 'node:os';
import path from 'node:path';
import { readMachineFile } from '@writ/agent/machine-file';
import { type AgentStarted, startAgent, usualMost, writeOwnerFile } from '@writ/agent/start';
import { checkMachineFile, ownAgentFolder } from './own-agent-folder.ts';
import type { Places } from './places.ts';

/** Writes what the launcher obeys, from what the owner decided, and starts launcher and agent. */
export async function startAgentProgram(places: Places, toolPath: string): Promise<AgentStarted> {
  await checkMachineFile(places);
  const machine = await readMachineFile(places.agent);
  const uid = await ownAgentFolder(places);
  writeOwnerFile(places.ownerFile, {
    format: 1,
    name: machine.name,
    slots: machine.slots,
    profiles: [...machine.profiles],
    firstUid: uid,
    slotsFolder: places.slots,
    cacheFolder: path.join(places.agent, 'cache'),
    node: places.node,
    network: machine.network,
    most: usualMost(totalmem()),
  });
  return startAgent({
    node: places.node,
    app: places.entries.app,
    state: places.agent,
    slotsFolder: places.slots,
    ownerFile: places.ownerFile,
    root: places.isRoot,
    uid,
    bwrap: places.bwrap,
    entry: places.entries.agent,
    launcherEntry: places.entries.launcher,
    args: (inside) => ['--folder', inside.state, '--slots', inside.slots, '--cache', inside.cache],
    env: { PATH: toolPath, HOME: '/', USER: 'writ', LANG: 'C.UTF-8' },
    log: null,
  });
}
