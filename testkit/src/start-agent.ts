import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { Shell } from './open-shell.ts';

export interface JoinWish {
  readonly name: string;
  readonly folder: string;
  readonly slots?: number;
  readonly profiles?: readonly string[];
  readonly labels?: readonly string[];
  readonly counters?: readonly string[];
  /** Where it reaches the server instead of where the invite says. */
  readonly proxyPort?: number | undefined;
}

/** One person invites, the owner of the other machine joins with nothing but that invite. Nothing is started. */
export async function joinAgent(person: Shell, owner: Shell, wish: JoinWish): Promise<void> {
  const labels = (wish.labels ?? []).flatMap((label) => ['--label', label]);
  const address = wish.proxyPort === undefined ? [] : ['--address', `127.0.0.1:${wish.proxyPort}`];
  const said = await person.must(['invite', '--name', wish.name, ...labels, ...address]);
  const invite = /writ1-\S+/.exec(said)?.[0];
  if (!invite) throw new Error(`writ invite wrote no invite: ${said}`);
  const slots = String(wish.slots ?? 1);
  const counters = (wish.counters ?? []).flatMap((counter) => ['--counter', counter]);
  await owner.must(['join', '-', '--dir', wish.folder, '--slots', slots, ...counters, '--no-start'], {
    input: `${invite}\n`,
  });
  if (wish.profiles) changeMachineFile(wish.folder, { profiles: wish.profiles });
}

/** As the owner would with an editor. */
export function changeMachineFile(folder: string, change: Readonly<Record<string, unknown>>): void {
  const file = join(folder, 'agent', 'machine.json');
  const machine = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  writeFileSync(file, `${JSON.stringify({ ...machine, ...change }, null, 2)}\n`, { mode: 0o600 });
}

/** `writ agent run`, away from this process's group, so that a Ctrl-C here is not one there. */
export function startAgent(
  owner: Shell,
  folder: string,
  environment: Readonly<Record<string, string>> = {},
): ChildProcess {
  const output = openSync(join(folder, 'agent-run.log'), 'a', 0o600);
  try {
    const child = spawn(process.execPath, [owner.program, 'agent', 'run', '--dir', folder], {
      cwd: folder,
      env: { ...owner.environment, ...environment },
      stdio: ['ignore', output, output],
      detached: true,
    });
    child.unref();
    return child;
  } finally {
    closeSync(output);
  }
}
