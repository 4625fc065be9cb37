import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { endWithUs } from '../end-with-us.ts';
import type { PeerPlace } from './peer.ts';

/** Submits and starts the jobs of a peer, in a process of its own. */
export interface PeerProgram extends AsyncDisposable {
  run(jobs: number): Promise<void>;
}

/** @param name of a file in `programs`. @param address of what holds its queue. */
export async function startPeerProgram(
  name: string,
  { folder, slots, installed }: PeerPlace,
  address: string,
): Promise<PeerProgram> {
  const file = fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, [file, folder, installed, address, String(slots)], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  endWithUs(child);
  const ended = once(child, 'close');
  const complained = text(child.stderr);
  child.stdin.on('error', () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const hear = async (wanted: string): Promise<void> => {
    for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
      if (line.value === wanted) return;
    }
    throw new Error(`its program ended: ${(await complained).trim()}`);
  };
  await hear('ready');
  return {
    async run(jobs) {
      child.stdin.write(`${jobs}\n`);
      await hear(`done ${jobs}`);
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(timer);
    },
  };
}
