import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type Cluster, type Process, readProcesses } from '@writ/testkit';
import { endWithUs } from '../end-with-us.ts';

/** An agent of a cluster that starts nothing, in a process of its own. */
export interface ProcesslessAgent extends AsyncDisposable {
  readonly identity: string;
  /** For so many tasks it may ask, and for none beyond those. */
  give(tasks: number): void;
  processes(): Process[];
  /** Rejects when it ends although nobody ended it. */
  readonly failed: Promise<never>;
}

export async function startProcesslessAgent(cluster: Cluster, name: string): Promise<ProcesslessAgent> {
  const folder = join(cluster.folder, name);
  mkdirSync(folder);
  const child = spawn(
    process.execPath,
    [
      fileURLToPath(new URL('processless-agent.ts', import.meta.url)),
      folder,
      join(cluster.person.configuration, 'writ'),
      join(cluster.server.folder, 'server', 'admin.sock'),
      String(cluster.server.agentPort),
      name,
    ],
    { stdio: 'pipe' },
  );
  endWithUs(child);
  const complained = text(child.stderr);
  const ended = once(child, 'exit');
  let isWanted = true;
  const failed = ended.then(async (): Promise<never> => {
    const why = (await complained).trim();
    if (!isWanted) return new Promise(() => {});
    throw new Error(`the agent without processes ended: ${why}`);
  });
  // Told to whoever waits for it, which may be nobody yet.
  failed.catch(() => {});
  child.stdin.on('error', () => {});
  const said = await Promise.race([failed, once(child.stdout, 'data')]);
  return {
    identity: String(said[0]).trim(),
    give: (tasks) => void child.stdin.write(`${tasks}\n`),
    processes: () => readProcesses(folder),
    failed,
    async [Symbol.asyncDispose]() {
      isWanted = false;
      child.kill('SIGTERM');
      await ended;
    },
  };
}
