import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram } from '../bring-program.ts';
import { endWithUs } from '../end-with-us.ts';
import { freePort } from '../free-port.ts';
import type { Peer } from './peer.ts';

const LOOK_MS = 20;
const PATIENCE_MS = 10_000;

export const gearman: Peer = setUp(
  'gearman, in memory',
  'background jobs in memory only: not durable; sent over one connection without waiting in between, run by 8 `gearman -w`; no TLS',
  () => [],
);

export const storedGearman: Peer = setUp(
  'gearman, stored',
  "as in memory, with gearmand's queue in SQLite: durable",
  (folder) => ['-q', 'libsqlite3', '--libsqlite3-db', join(folder, 'queue.db')],
);

function setUp(name: string, how: string, queue: (folder: string) => readonly string[]): Peer {
  return {
    name,
    how,
    part: 0.4,
    programs: [
      { program: 'gearmand', package: 'gearman-job-server' },
      { program: 'gearman', package: 'gearman-tools' },
    ],
    async open({ folder, slots }) {
      const port = await freePort();
      const gearmand = findProgram('gearmand') ?? 'gearmand';
      const address = ['-L', '127.0.0.1', '-p', String(port)];
      const own = ['-l', join(folder, 'log'), '-P', join(folder, 'pid')];
      const children: ChildProcess[] = [];
      const start = (program: string, line: readonly string[]): void => {
        children.push(endWithUs(spawn(program, line, { cwd: folder, stdio: 'ignore' })));
      };
      const close = async (): Promise<void> => {
        for (const child of children.toReversed()) {
          if (child.exitCode !== null || child.signalCode !== null) continue;
          const ended = once(child, 'exit');
          child.kill('SIGKILL');
          await ended;
        }
      };
      try {
        start(gearmand, [...address, ...own, ...queue(folder)]);
        await until(async () => (await ask(port, 'version')).startsWith('OK'));
        for (let slot = 0; slot < slots; slot += 1) {
          const pid = join(folder, `slot-${slot}`);
          start('gearman', [
            '-w',
            '-h',
            '127.0.0.1',
            '-p',
            String(port),
            '-i',
            pid,
            '-f',
            'true',
            '/bin/true',
          ]);
        }
        await until(async () => (await statusOf(port)).slots === slots);
      } catch (error) {
        await close();
        throw error;
      }
      return {
        folders: [folder],
        async run(jobs) {
          await submit(port, jobs);
          while ((await statusOf(port)).jobs > 0) await sleep(LOOK_MS);
        },
        [Symbol.asyncDispose]: close,
      };
    },
  };
}

/** Its protocol numbers background jobs 18, and the answer that one is taken 8. */
const SUBMIT_IN_BACKGROUND = 18;
const TAKEN = 8;
const HEAD = 12;

async function submit(port: number, jobs: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  const body = Buffer.from('true\0\0');
  const head = Buffer.alloc(HEAD);
  head.write('\0REQ', 'latin1');
  head.writeUInt32BE(SUBMIT_IN_BACKGROUND, 4);
  head.writeUInt32BE(body.length, 8);
  const message = Buffer.concat([head, body]);
  socket.write(Buffer.concat(Array.from({ length: jobs }, () => message)));
  let taken = 0;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of socket) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    while (rest.length >= HEAD && rest.length >= HEAD + rest.readUInt32BE(8)) {
      if (rest.readUInt32BE(4) !== TAKEN) throw new Error(`gearmand answered ${rest.toString('latin1')}`);
      rest = rest.subarray(HEAD + rest.readUInt32BE(8));
      taken += 1;
    }
    if (taken === jobs) return;
  }
  throw new Error(`gearmand took ${taken} of ${jobs} jobs`);
}

async function statusOf(port: number): Promise<{ readonly jobs: number; readonly slots: number }> {
  const line = (await ask(port, 'status')).split('\n').find((one) => one.startsWith('true\t'));
  const [, jobs, , slots] = line?.split('\t') ?? [];
  return { jobs: Number(jobs ?? 0), slots: Number(slots ?? 0) };
}

/** Its own words for people, on the same port. */
async function ask(port: number, words: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let said = '';
  socket.setEncoding('utf8').write(`${words}\n`);
  for await (const chunk of socket) {
    said += chunk as string;
    if (words === 'version' ? said.endsWith('\n') : /(^|\n)\.\n$/.test(said)) break;
  }
  return said;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    if (await holds().catch(() => false)) return;
    if (performance.now() > end) throw new Error(`gearmand gives no sign in ${PATIENCE_MS / 1000} s`);
    await sleep(LOOK_MS);
  }
}
