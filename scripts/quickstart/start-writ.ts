import { join } from 'node:path';
import type { Shell } from './run-writ.ts';

export interface Place {
  readonly root: string;
  /** Everything that this quickstart writes but the picture. */
  readonly folder: string;
  readonly bare: boolean;
}

export const AGENTS = ['quickstart-1', 'quickstart-2', 'quickstart-3'] as const;

export const serverFolder = (folder: string): string => join(folder, 'server');
export const agentFolder = (folder: string, name: string): string => join(folder, name);

/** A server of its own on loopback, on free ports, without an agent of its own. */
export async function startServer(person: Shell, place: Place): Promise<void> {
  const dir = serverFolder(place.folder);
  await person.writ([
    'up',
    '--no-agent',
    '--dir',
    dir,
    '--host',
    '127.0.0.1',
    '--port',
    '0',
    '--agent-port',
    '0',
  ]);
}

/** What two people would do: one writes an invite, the other one joins with it and with nothing else. */
export async function joinAgent(person: Shell, owner: Shell, name: string, place: Place): Promise<void> {
  const said = await person.writ(['invite', '--name', name]);
  const invite = /writ1-\S+/.exec(said)?.[0];
  if (!invite) throw new Error(`writ invite wrote no invite: ${said}`);
  const dir = agentFolder(place.folder, name);
  const profile = place.bare ? ['--bare'] : [];
  await owner.writ(['join', '-', '--dir', dir, '--slots', '1', ...profile], `${invite}\n`);
}
