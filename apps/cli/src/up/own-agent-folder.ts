import { chmod, chown, lchown, lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import { takeUidBlock } from '@writ/agent/start';
import { CliError } from '../cli-error.ts';
import type { Places } from './places.ts';

/**
 * As root: gives the agent's folder to the agent's own account, all but `machine.json`, which its owner alone changes.
 * @returns that account, null where there is no root.
 */
export async function ownAgentFolder(places: Places): Promise<number | null> {
  if (!places.isRoot) return null;
  const uid = takeUidBlock(places.agent);
  await giveTo(uid, places.agent);
  const machine = machineFileOf(places);
  await chown(machine, 0, uid);
  await chmod(machine, 0o640);
  return uid;
}

/** An agent could put another file in its place: that one would not be root's. */
export async function checkMachineFile(places: Places): Promise<void> {
  const file = machineFileOf(places);
  const facts = await lstat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new CliError(
      'up.not_running',
      `This machine has joined no cluster: ${file} is not there.`,
      'writ join, or writ up',
    );
  });
  const owner = process.geteuid?.() ?? facts.uid;
  if (facts.isFile() && facts.uid === owner && (facts.mode & 0o022) === 0) return;
  throw new CliError(
    'up.not_ours',
    `${file} could have been written by somebody else than the owner of this machine.`,
    'Look at it; if it is right, make it yours: chown and chmod 640.',
  );
}

const machineFileOf = (places: Places): string => path.join(places.agent, 'machine.json');

async function giveTo(uid: number, file: string): Promise<void> {
  const facts = await lstat(file);
  if (facts.uid !== uid && path.basename(file) !== 'machine.json') await lchown(file, uid, uid);
  if (!facts.isDirectory()) return;
  for (const name of await readdir(file)) await giveTo(uid, path.join(file, name));
}
