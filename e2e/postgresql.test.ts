// needs: bubblewrap, postgresql
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetchOverSocket } from '@writ/client/node';
import {
  type TemporaryCluster,
  temporaryCluster,
} from '../packages/store/src/postgres/testing/temporary-cluster.ts';
import { openShell, type Shell } from '../testkit/src/open-shell.ts';
import { readProcesses } from '../testkit/src/read-processes.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'writ-on-pg-')));
const state = join(root, 'state');
const UP = ['up', '--dir', state, '--host', '127.0.0.1', '--port', '0', '--agent-port', '0'];
const PASSWORD = 'pass-word-of-this-test';
let postgres: TemporaryCluster;
let ana: Shell;
let url = '';

before(async () => {
  postgres = await temporaryCluster();
  await postgres.createDatabase('jobs');
  await postgres.query('postgres', `create role server login password '${PASSWORD}'`);
  await postgres.query('postgres', 'grant create on database jobs to server');
  const hba = String((await postgres.query('postgres', 'show hba_file'))[0]?.['hba_file']);
  writeFileSync(hba, `local all server scram-sha-256\n${readFileSync(hba, 'utf8')}`);
  await postgres.query('postgres', 'select pg_reload_conf()');
  url = `postgres://server:${PASSWORD}@/jobs?host=${encodeURIComponent(postgres.folder)}`;
  ana = openShell(join(root, 'ana'));
});
after(async () => {
  await ana.writ(['down', '--dir', state]);
  for (const { pid } of readProcesses(root)) process.kill(pid, 'SIGKILL');
  await postgres.remove();
  rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

const openSocket = () => {
  const opened = fetchOverSocket(join(state, 'server', 'admin.sock'));
  return { fetch: opened.fetch, [Symbol.asyncDispose]: () => opened.close() };
};
const serverLog = (): string => readFileSync(join(state, 'server', 'log'), 'utf8');
const succeeded = async (): Promise<number> => {
  const rows = await postgres.query('jobs', `select sum(n_succeeded)::int as count from writ.job`);
  return Number(rows[0]?.['count']);
};

describe('a cluster on PostgreSQL', { timeout: 240_000 }, () => {
  test('runs a job whose records are there and not in the state folder, and says which database it is', async () => {
    const file = join(root, 'database');
    writeFileSync(file, `${url}\n`, { mode: 0o600 });
    await ana.must([...UP, '--database', `@${file}`]);
    assert.equal((await ana.must(['run', '--', 'echo', 'kept'])).trim(), 'kept');
    assert.equal(await succeeded(), 1);
    assert.equal(existsSync(join(state, 'server', 'writ.db')), false);
    assert.match(
      serverLog(),
      /"event":"server.started".*"database":"postgresql 1\d\.\d+, synchronous_commit on, fsync on/,
    );
  });

  test('says at GET /api/v1/server which database it is', async () => {
    await using opened = openSocket();
    const answer = await opened.fetch('http://writ/api/v1/server');
    const { database } = (await answer.json()) as { database: string };
    assert.match(
      database,
      /^postgresql 1\d\.\d+, synchronous_commit on, fsync on, .*transactions serializable/,
    );
  });

  test('goes on by itself after PostgreSQL was started anew, and after it was killed', async () => {
    for (const how of ['fast', 'kill'] as const) {
      const during = (await ana.must(['submit', '--quiet', '--', 'sleep', '2'])).trim();
      await postgres.stop(how);
      await postgres.start();
      assert.equal((await ana.must(['run', '--', 'echo', how])).trim(), how);
      await ana.must(['wait', during]);
    }
    assert.equal(await succeeded(), 5);
  });

  test('what is submitted while PostgreSQL is away is one job when it is back, and its submitter is not told of a failure', async () => {
    await postgres.stop('fast');
    const submitting = ana.must(['submit', '--quiet', '--', 'true']);
    const isOver = submitting.then(
      () => true,
      () => true,
    );
    while (!serverLog().includes('"code":"server.unavailable"'))
      if (await Promise.race([isOver, sleep(50, false)])) break;
    await postgres.start();
    await ana.must(['wait', (await submitting).trim()]);
    assert.match(serverLog(), /"code":"server.unavailable".*store.unavailable/);
    assert.equal(await succeeded(), 6);
  });

  test('finds everything again after a start without naming the database', async () => {
    const before = await ana.must(['status', '--json']);
    await ana.must(['down', '--dir', state]);
    await ana.must(UP);
    assert.equal(await ana.must(['status', '--json']), before);
    await ana.must(['run', '--', 'true']);
    assert.equal(await succeeded(), 7);
  });

  test('shows the password to nobody: not in a process list, not in a log, in no file that others read', async () => {
    assert.doesNotMatch(serverLog(), new RegExp(PASSWORD));
    const lines = readProcesses(state).map(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    assert.ok(lines.length >= 2);
    for (const line of lines) assert.doesNotMatch(line, new RegExp(PASSWORD));
    for (const file of [join(state, 'database-url'), join(state, 'server', 'database-url')]) {
      assert.match(readFileSync(file, 'utf8'), new RegExp(PASSWORD));
      assert.equal(statSync(file).mode & 0o777, 0o600);
    }
  });

  test('is not begun over records in a file, nor over a network without verify-full; the words say why', async () => {
    const other = join(root, 'other');
    const there = [
      'up',
      '--dir',
      other,
      '--host',
      '127.0.0.1',
      '--port',
      '0',
      '--agent-port',
      '0',
      '--no-agent',
    ];
    const ben = openShell(join(root, 'ben'));
    try {
      const none = await ben.writ([...there, '--database', 'mysql://server:s3cret@db.example/jobs']);
      assert.equal(none.exitCode, 2);
      assert.match(none.stderr, /no address of a PostgreSQL\. \[usage\.option\]/);
      assert.doesNotMatch(none.stderr, /s3cret/);
      const weak = await ben.writ([
        ...there,
        '--database',
        'postgres://server:s3cret@db.example/jobs?sslmode=require',
      ]);
      assert.equal(weak.exitCode, 1);
      assert.match(weak.stderr, /only verify-full is allowed/);
      assert.doesNotMatch(weak.stderr, /s3cret/);
      rmSync(other, { recursive: true });
      await ben.must(there);
      await ben.must(['down', '--dir', other]);
      const late = await ben.writ([...there, '--database', url]);
      assert.equal(late.exitCode, 1);
      assert.match(late.stderr, /records of this state folder are in its file/);
    } finally {
      await ben.writ(['down', '--dir', other]);
    }
  });
});
