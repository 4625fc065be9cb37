import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, readdirSync, readlinkSync } from 'node:fs';
import { appendFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';

/** A real PostgreSQL in a folder of its own, on a Unix socket only. Its owner removes it. */
export interface TemporaryCluster {
  /** Folder of its socket and its data. */
  readonly folder: string;
  readonly user: string;
  url(database: string): string;
  createDatabase(name: string): Promise<void>;
  /** As its owner, in one database. */
  query(database: string, statement: string): Promise<readonly Record<string, unknown>[]>;
  /** Everything in one database, as text. */
  dump(database: string, file: string): Promise<void>;
  start(): Promise<void>;
  /**
   * `fast`: as an operator stops it. `kill`: it and all its processes are killed with SIGKILL. `postmaster`: only the
   * first of them is, before this returns for the first time; the others then end by themselves.
   */
  stop(how: 'fast' | 'kill' | 'postmaster'): Promise<void>;
  /** Of the account that it runs as: files that it reads must be its own. */
  own(file: string): void;
  /** Lines for postgresql.conf; they count from the next start on. */
  set(lines: string): Promise<void>;
  remove(): Promise<void>;
}

const run = promisify(execFile);

/** With a `port` it listens on 127.0.0.1 too. */
export async function temporaryCluster(port?: number): Promise<TemporaryCluster> {
  const account = await accountOf();
  // The path of a socket has room for 107 letters.
  const folder = mkdtempSync(join(tmpdir(), 'writ-pg-'));
  if (account.uid !== null) chownSync(folder, account.uid, account.gid);
  // Others may connect.
  chmodSync(folder, 0o755);
  const data = join(folder, 'data');
  const programs = newestPrograms();
  const as = {
    cwd: folder,
    env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' },
    ...(account.uid === null ? {} : { uid: account.uid, gid: account.gid }),
  };
  let child: ChildProcess | undefined;
  // Also where a test ends without its ends.
  const endAtOnce = (): void => void child?.kill('SIGQUIT');
  process.once('exit', endAtOnce);

  const cluster: TemporaryCluster = {
    folder,
    user: 'writ',
    url: (database) => `postgres://writ@/${database}?host=${encodeURIComponent(folder)}`,
    async createDatabase(name) {
      await cluster.query('postgres', `create database ${name} encoding 'UTF8' template template0`);
    },
    async query(database, statement) {
      const client = new pg.Client({ host: folder, port: port ?? 5432, user: 'writ', database, ssl: false });
      client.on('error', () => undefined);
      await client.connect();
      try {
        return (await client.query<Record<string, unknown>>(statement)).rows;
      } finally {
        await client.end();
      }
    },
    async dump(database, file) {
      const from = ['-h', folder, '-p', String(port ?? 5432), '-U', 'writ'];
      await run(join(programs, 'pg_dump'), [...from, '-f', file, database], { env: as.env });
    },
    async start() {
      const started = spawn(join(programs, 'postgres'), ['-D', data], {
        ...as,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      child = started;
      let said = '';
      started.stderr?.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-4000)));
      for (let look = 0; look < 200; look += 1) {
        if (started.exitCode !== null) throw new Error(`postgres did not start: ${said}`);
        if (await answers(cluster)) return;
        await sleep(50);
      }
      throw new Error(`postgres gives no sign: ${said}`);
    },
    async stop(how) {
      const running = child;
      if (!running || running.exitCode !== null || running.signalCode !== null) return;
      const ended = once(running, 'exit');
      const family = how === 'kill' ? await childrenOf(running.pid ?? 0) : [];
      running.kill(how === 'fast' ? 'SIGINT' : 'SIGKILL');
      for (const pid of family) killQuietly(pid);
      await ended;
      // Another one does not start on their data before they are gone.
      if (how === 'postmaster') await goneFrom(data);
    },
    own: (file) => {
      if (account.uid !== null) chownSync(file, account.uid, account.gid);
    },
    set: (lines) => appendFile(join(data, 'postgresql.conf'), `${lines}\n`),
    async remove() {
      await cluster.stop('fast');
      process.removeListener('exit', endAtOnce);
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await run(
      join(programs, 'initdb'),
      ['-D', data, '-U', 'writ', '--auth', 'trust', '--encoding', 'UTF8', '--locale', 'C.UTF-8'],
      as,
    );
    await cluster.set(
      `listen_addresses = '${port === undefined ? '' : '127.0.0.1'}'\nport = ${port ?? 5432}\nunix_socket_directories = '${folder}'\nfsync = on\nmax_connections = 60\nshared_buffers = 32MB`,
    );
    await cluster.start();
  } catch (cause) {
    await cluster.remove();
    throw cause;
  }
  return cluster;
}

/** PostgreSQL refuses to run as root, and as an account that the system does not know. */
async function accountOf(): Promise<{ uid: number | null; gid: number }> {
  if (process.getuid?.() !== 0) return { uid: null, gid: 0 };
  const read = async (flag: string) => Number((await run('id', [flag, 'postgres'])).stdout);
  return { uid: await read('-u'), gid: await read('-g') };
}

function newestPrograms(): string {
  const root = '/usr/lib/postgresql';
  const newest = readdirSync(root)
    .map(Number)
    .filter((version) => version >= 15)
    .sort((a, b) => b - a)[0];
  if (newest === undefined) throw new Error(`There is no PostgreSQL 15 or newer in ${root}.`);
  return join(root, String(newest), 'bin');
}

async function answers(cluster: TemporaryCluster): Promise<boolean> {
  try {
    await cluster.query('postgres', 'select 1');
    return true;
  } catch {
    return false;
  }
}

async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-o', 'pid=', '--ppid', String(pid)]);
  return stdout
    .split('\n')
    .map(Number)
    .filter((each) => each > 1);
}

const PATIENCE_MS = 10_000;

/** Those whose parent is gone are known by where they work. */
async function goneFrom(data: string): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const left = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && isIn(data, pid));
    if (left.length === 0) return;
    if (performance.now() > until) for (const pid of left) killQuietly(Number(pid));
    await sleep(10);
  }
}

function isIn(folder: string, pid: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === folder;
  } catch {
    return false;
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended with its parent.
  }
}
