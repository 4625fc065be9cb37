import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { endWithUs } from '../end-with-us.ts';
import type { OpenedPeer, Peer, PeerPlace } from './peer.ts';
import { startPeerProgram } from './start-peer-program.ts';

export const bullmq: Peer = {
  name: 'BullMQ',
  how: 'Redis on a Unix socket with `appendonly yes` and `appendfsync always`, added 500 at a time, ended jobs removed',
  part: 0.3,
  programs: [{ program: 'redis-server', package: 'redis-server' }],
  isFromNpm: true,
  open: openOnRedis,
};

async function openOnRedis(place: PeerPlace): Promise<OpenedPeer> {
  await using opening = new AsyncDisposableStack();
  const socket = join(place.folder, 'redis.sock');
  opening.use(await startRedis(place.folder, socket));
  const program = opening.use(await startPeerProgram('bullmq', place, socket));
  const opened = opening.move();
  return {
    folders: [place.folder],
    run: program.run,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function startRedis(folder: string, socket: string): Promise<AsyncDisposable> {
  const wish = {
    port: '0',
    unixsocket: socket,
    dir: folder,
    appendonly: 'yes',
    appendfsync: 'always',
    save: '',
    // Its command line goes on naming the folder.
    'set-proc-title': 'no',
  };
  const line = Object.entries(wish).flatMap(([name, value]) => [`--${name}`, value]);
  const child = endWithUs(spawn('redis-server', line, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] }));
  const ended = once(child, 'exit');
  const said = text(child.stdout);
  while (!existsSync(socket)) {
    if (child.exitCode !== null) throw new Error(`redis-server did not start: ${await said}`);
    await sleep(20);
  }
  return {
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
