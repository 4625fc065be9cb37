import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentView, API_CODES, check, jobEventCheck, type Order } from '@writ/contract';
import { start } from '@writ/server';
import { digestOf } from '@writ/trust/digest';
import { openApi } from '../testkit/src/call-api.ts';
import { makeSignedOrder, randomId } from '../testkit/src/make-order.ts';
import { newSigner, startTestServer, type TestServer } from '../testkit/src/start-test-server.ts';
import { inline, makeAgent } from '../testkit/src/test-agent.ts';

const agentViewCheck = check(AgentView);
const chunkHeaders = (chunk: Uint8Array, offset: number, total: number): Record<string, string> => ({
  'upload-offset': String(offset),
  'upload-length': String(total),
  'content-digest': `sha-256=:${Buffer.from(digestOf(chunk).slice(7), 'hex').toString('base64')}:`,
});

describe('the API of people', { timeout: 120_000 }, () => {
  let server: TestServer;
  let member: string;
  let administrator: string;
  before(async () => {
    server = await startTestServer();
    member = await server.makeToken('member');
    administrator = await server.makeToken('administrator');
  });
  after(async () => {
    await server.close();
  });
  const submit = async (changes: Partial<Order> = {}) => {
    const made = makeSignedOrder(server.sets, server.person, changes);
    return { ...made, answer: await server.call('POST', '/api/v1/jobs', { body: { order: made.envelope } }) };
  };

  const cancel = async (job: string) =>
    await server.call('POST', `/api/v1/jobs/${job}/cancel`, {
      body: { indexes: null, how: 'kill', withdrawal: null },
    });

  test('each route lets in whom it declares, and nobody else', async () => {
    const { body: document } = await server.call('GET', '/api/v1/openapi.json');
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods as Record<string, { operationId: string; description: string }>).map(
        ([method, { operationId, description }]) => ({
          path,
          method: method.toUpperCase(),
          operationId,
          description,
        }),
      ),
    );
    assert.ok(routes.length >= 30, `${routes.length} routes`);
    const expected: Record<string, readonly [nobody: boolean, member: boolean, administrator: boolean]> = {
      'Answers without signing in.': [true, true, true],
      'For every token.': [false, true, true],
      'For tokens of administrators.': [false, false, true],
      "Only on the administrator's socket.": [false, false, false],
    };
    for (const { path, method, description, operationId } of routes) {
      const url = path
        .replace('{id}', randomId())
        .replace('{digest}', digestOf('nothing'))
        .replace('{name}', 'nobody')
        .replace('{index}', '0')
        .replace('{stream}', 'stdout');
      const letIn: boolean[] = [];
      for (const token of [undefined, member, administrator]) {
        // An empty body is refused by shape, after the policy.
        const { status, headers } = await server.callWith(
          token,
          method,
          url,
          method === 'GET' || method === 'HEAD' || method === 'DELETE' ? {} : { body: {} },
        );
        letIn.push(status !== 401 && status !== 403);
        assert.ok(status < 500, `${method} ${url}: ${status}`);
        assert.equal(
          headers['server'] ?? headers['x-powered-by'],
          undefined,
          'no version is told to strangers',
        );
      }
      assert.deepEqual(letIn, expected[description], `${operationId}: ${description}`);
    }
  });

  test('without a token every path answers 401, whether there is such a route or not', async () => {
    for (const path of ['/', '/api/v1/nothing', '/api/v1/jobs/../../etc', '/documentation', '/metrics']) {
      const { status, body } = await server.callWith(undefined, 'GET', path);
      assert.deepEqual([status, body.code], [401, 'auth.required'], path);
    }
    for (const token of ['writ_' + 'A'.repeat(43), 'x', `${member}x`])
      assert.equal((await server.callWith(token, 'GET', '/api/v1/jobs')).status, 401);
    assert.equal((await server.callWith(member, 'GET', '/api/v1/nothing')).body.code, 'not_found');
  });

  test('a revoked token is refused at once; no token stands in the state folder', async () => {
    const { body } = await server.call('POST', '/api/v1/tokens', {
      body: { name: 'short', role: 'member', expiresSeconds: 60 },
    });
    assert.equal((await server.callWith(body.token, 'GET', '/api/v1/jobs')).status, 200);
    assert.equal((await server.call('DELETE', `/api/v1/tokens/${body.id}`)).status, 204);
    assert.equal((await server.callWith(body.token, 'GET', '/api/v1/jobs')).status, 401);
    for (const file of ['writ.db', 'writ.db-wal']) {
      const bytes = await readFile(join(server.state, 'server', file));
      for (const token of [body.token, member, administrator])
        assert.equal(bytes.includes(token), false, file);
    }
  });

  test('when a token was last used is known to the minute, without a write for each request', async () => {
    const { body } = await server.call('POST', '/api/v1/tokens', {
      body: { name: 'used', role: 'member', expiresSeconds: 600 },
    });
    const lastUsed = async (): Promise<string | null> =>
      (await server.call('GET', '/api/v1/tokens')).body.items.find(
        (token: { id: string }) => token.id === body.id,
      ).lastUsed;
    assert.equal(await lastUsed(), null);
    await server.callWith(body.token, 'GET', '/api/v1/jobs');
    for (let tries = 0; tries < 50 && (await lastUsed()) === null; tries += 1) await sleep(20);
    const first = await lastUsed();
    assert.ok(first !== null && Math.abs(Date.now() - Date.parse(first)) < 60_000, String(first));
    await sleep(5);
    for (let at = 0; at < 5; at += 1) await server.callWith(body.token, 'GET', '/api/v1/jobs');
    await sleep(100);
    assert.equal(await lastUsed(), first);
  });

  test('everything in the state folder is closed to other accounts', async () => {
    for (const file of [
      '',
      'writ.db',
      'authority',
      'authority-secret',
      'authority/issuing.json',
      'tls.json',
      'admin.sock',
      'address.json',
      'files',
      'lock.db',
    ]) {
      const { mode } = await stat(join(server.state, 'server', file));
      assert.equal(mode & 0o077, 0, file);
    }
  });

  test('refusals are problems with code, pointer and request id', async () => {
    for (const [body, pointer] of [
      [{ order: 1 }, '/order'],
      [{}, ''],
      [{ order: makeSignedOrder(server.sets, server.person).envelope, state: 'succeeded' }, ''],
    ] as const) {
      const { status, body: problem, headers } = await server.call('POST', '/api/v1/jobs', { body });
      assert.deepEqual([status, problem.code, problem.status], [400, 'request.malformed', 400]);
      assert.match(headers['content-type'] ?? '', /^application\/problem\+json/);
      assert.match(problem.requestId, /^[a-z2-7]{26}$/);
      assert.ok(problem.errors[0].pointer.startsWith(pointer), JSON.stringify(problem.errors));
    }
    for (const text of [
      '{"order":1,"order":2}',
      '{"__proto__":{"role":"administrator"}}',
      `${'['.repeat(40)}${']'.repeat(40)}`,
      '{',
    ]) {
      const { status, body } = await server.call('POST', '/api/v1/jobs', {
        bytes: Buffer.from(text),
        headers: { 'content-type': 'application/json' },
      });
      assert.deepEqual([status, body.code], [400, 'request.malformed'], text);
    }
    const large = await server.call('POST', '/api/v1/jobs', { body: { order: 'x'.repeat(3 * 1024 * 1024) } });
    assert.equal(large.body.code, 'request.too_large');
    const media = await server.call('POST', '/api/v1/jobs', {
      bytes: Buffer.from('a=b'),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    assert.equal(media.body.code, 'request.media_type');
    assert.equal((await server.call('GET', '/api/v1/jobs?limit=0')).body.code, 'request.malformed');
    assert.equal((await server.call('GET', '/api/v1/jobs?cursor=nonsense')).status, 400);
    for (const code of Object.values(API_CODES)) assert.ok(code[0] >= 400);
  });

  test('an order that agents would refuse is refused here, with their code', async () => {
    const stranger = { id: server.person.id, signer: newSigner() };
    const cases: [string, ReturnType<typeof makeSignedOrder>][] = [
      ['order.signer_unknown', makeSignedOrder(server.sets, stranger)],
      [
        'order.signature_bad',
        makeSignedOrder(server.sets, {
          id: server.person.id,
          signer: { key: server.person.signer.key, sign: (bytes) => stranger.signer.sign(bytes) },
        }),
      ],
      ['order.cluster_other', makeSignedOrder(server.sets, server.person, { cluster: 'a'.repeat(52) })],
      [
        'order.expired',
        makeSignedOrder(server.sets, server.person, {
          issued: Date.now() - 10_000,
          notAfter: Date.now() - 1_000,
        }),
      ],
      [
        'order.too_long',
        makeSignedOrder(server.sets, server.person, { notAfter: Date.now() + 40 * 86_400_000 }),
      ],
      [
        'order.set_unknown',
        makeSignedOrder(server.sets, server.person, { set: { version: 7, digest: digestOf('x') } }),
      ],
      [
        'order.set_fork',
        makeSignedOrder(server.sets, server.person, { set: { version: 1, digest: digestOf('x') } }),
      ],
      [
        'order.malformed',
        makeSignedOrder(server.sets, server.person, { array: { is: 'range', from: 1, to: 2_000_000 } }),
      ],
    ];
    for (const [code, { envelope, order }] of cases) {
      const { status, body } = await server.call('POST', '/api/v1/jobs', { body: { order: envelope } });
      assert.deepEqual(
        [status, body.code, body.errors?.[0]?.detail],
        [422, 'order.refused', code],
        JSON.stringify(body),
      );
      assert.equal((await server.call('GET', `/api/v1/jobs/${order.job}`)).status, 404);
    }
    const flipped = makeSignedOrder(server.sets, server.person).envelope;
    const payload = Buffer.from(flipped.payload, 'base64');
    payload[payload.length - 5]! ^= 1;
    const { body } = await server.call('POST', '/api/v1/jobs', {
      body: { order: { ...flipped, payload: payload.toString('base64') } },
    });
    assert.equal(body.errors[0].detail, 'order.signature_bad');
  });

  test('fifty submissions of one id are one job; another order under it is a conflict', async () => {
    const { envelope, order } = makeSignedOrder(server.sets, server.person, {
      machine: { facts: [{ fact: 'os', is: 'none' }], labels: [], agents: [], excluded: [], notAdmitted: [] },
    });
    const answers = await Promise.all(
      Array.from(
        { length: 50 },
        async () => await server.call('POST', '/api/v1/jobs', { body: { order: envelope } }),
      ),
    );
    assert.equal(answers.filter((answer) => answer.status === 201).length, 1);
    assert.equal(new Set(answers.map((answer) => JSON.stringify(answer.body))).size, 1);
    const other = makeSignedOrder(server.sets, server.person, { job: order.job, profile: 'user' });
    const conflict = await server.call('POST', '/api/v1/jobs', { body: { order: other.envelope } });
    assert.deepEqual([conflict.status, conflict.body.code], [409, 'conflict.job_id']);
    assert.deepEqual((await server.call('GET', `/api/v1/jobs/${order.job}/order`)).body, envelope);
    const both = makeSignedOrder(server.sets, server.person, { job: randomId() });
    const rival = makeSignedOrder(server.sets, server.person, { job: both.order.job, profile: 'user' });
    const race = await Promise.all(
      [both, rival].map(
        async (made) =>
          (await server.call('POST', '/api/v1/jobs', { body: { order: made.envelope } })).status,
      ),
    );
    assert.deepEqual(
      race.toSorted((one, other) => one - other),
      [201, 409],
    );
    // Nothing is left for the agents of other tests.
    for (const job of [order.job, both.order.job])
      assert.equal(
        (
          await server.call('POST', `/api/v1/jobs/${job}/cancel`, {
            body: { indexes: null, how: 'kill', withdrawal: null },
          })
        ).body.state,
        'cancelled',
      );
  });

  test('an order that could not be written leaves nothing behind: its id is free for another', async () => {
    const one = makeSignedOrder(server.sets, server.person);
    const { job } = one.order;
    const database = new DatabaseSync(join(server.state, 'server', 'writ.db'));
    try {
      // As a disk that fails for this row alone.
      database.exec(
        `create trigger no_room before insert on job when new.id = '${job}' begin select raise(abort, 'no room'); end`,
      );
      const failed = await server.call('POST', '/api/v1/jobs', { body: { order: one.envelope } });
      assert.equal(failed.status, 500);
      database.exec('drop trigger no_room');
      const other = makeSignedOrder(server.sets, server.person, { job });
      const answer = await server.call('POST', '/api/v1/jobs', { body: { order: other.envelope } });
      assert.equal(answer.status, 201, answer.bytes.toString());
      const { body } = await server.call('GET', `/api/v1/jobs/${job}/order`);
      assert.deepEqual(body, other.envelope);
      await cancel(job);
    } finally {
      database.close();
    }
  });

  test('a file travels in chunks, goes on after a cut, and is nowhere until it is whole and right', async () => {
    const bytes = Buffer.alloc(600_000, `file ${Math.random()} `);
    const digest = digestOf(bytes);
    const files = [{ digest, size: bytes.length }];
    assert.deepEqual((await server.call('POST', '/api/v1/files/missing', { body: { files } })).body.missing, [
      digest,
    ]);
    const path = `/api/v1/uploads/${digest}`;
    const send = async (
      from: number,
      to: number,
      headers = chunkHeaders(bytes.subarray(from, to), from, bytes.length),
    ) => await server.call('PATCH', path, { bytes: bytes.subarray(from, to), headers });
    assert.equal((await send(0, 250_000)).headers['upload-offset'], '250000');
    assert.equal((await send(300_000, 400_000)).body.code, 'conflict.state');
    const changed = await send(
      250_000,
      300_000,
      chunkHeaders(Buffer.from('what was meant'), 250_000, bytes.length),
    );
    assert.deepEqual(
      [changed.status, changed.body.code],
      [422, 'file.digest_wrong'],
      'a chunk that changed on its way',
    );
    await server.restart();
    const { headers } = await server.call('HEAD', path);
    const offset = Number(headers['upload-offset']);
    assert.equal(offset, 250_000);
    assert.equal((await server.call('GET', `/api/v1/files/${digest}`)).status, 404);
    assert.equal((await send(offset, bytes.length)).headers['upload-offset'], String(bytes.length));
    assert.deepEqual(
      (await server.call('POST', '/api/v1/files/missing', { body: { files } })).body.missing,
      [],
    );
    const got = await server.callWith(member, 'GET', `/api/v1/files/${digest}`);
    assert.ok(got.bytes.equals(bytes));
    assert.equal(
      got.headers['repr-digest'],
      `sha-256=:${Buffer.from(digest.slice(7), 'hex').toString('base64')}:`,
    );
    const part = await server.call('GET', `/api/v1/files/${digest}`, { headers: { range: 'bytes=10-19' } });
    assert.deepEqual(
      [part.status, part.bytes.equals(bytes.subarray(10, 20)), part.headers['content-range']],
      [206, true, `bytes 10-19/${bytes.length}`],
    );
    assert.equal(
      (await server.call('GET', `/api/v1/files/${digest}`, { headers: { range: 'bytes=600000-' } })).status,
      416,
    );

    const wrong = `/api/v1/uploads/${digestOf('other bytes')}`;
    const bad = await server.call('PATCH', wrong, {
      bytes: Buffer.from('wrong bytes'),
      headers: chunkHeaders(Buffer.from('wrong bytes'), 0, 11),
    });
    assert.deepEqual([bad.status, bad.body.code], [422, 'file.digest_wrong']);
    assert.equal((await server.call('HEAD', wrong)).headers['upload-offset'], '0');
    assert.equal((await server.call('GET', `/api/v1/files/${digestOf('other bytes')}`)).status, 404);
    assert.equal((await server.call('GET', '/api/v1/files/..%2f..%2fwrit.db')).status, 400);
  });

  const uploadFor = async (bytes: Buffer, name = digestOf(bytes)): Promise<number> =>
    (
      await server.call('PATCH', `/api/v1/uploads/${name}`, {
        bytes,
        headers: chunkHeaders(bytes, 0, bytes.length),
      })
    ).status;

  test('a file that was damaged on the disk is asked for again, and whole once it has come', async () => {
    const bytes = Buffer.from(`to be damaged ${Math.random()}`);
    const digest = digestOf(bytes);
    const onDisk = join(server.state, 'server', 'files', digest.slice(7, 9), digest.slice(9));
    const missing = async (): Promise<string[]> =>
      (
        await server.call('POST', '/api/v1/files/missing', {
          body: { files: [{ digest, size: bytes.length }] },
        })
      ).body.missing;
    const read = async () => await server.call('GET', `/api/v1/files/${digest}`).catch(() => null);
    assert.equal(await uploadFor(bytes), 204);
    assert.deepEqual(await missing(), []);
    // Found when it is read, and then asked for.
    await writeFile(onDisk, Buffer.alloc(bytes.length));
    assert.notEqual((await read())?.status, 200);
    assert.deepEqual(await missing(), [digest]);
    assert.equal(await uploadFor(bytes), 204);
    assert.deepEqual((await read())?.bytes, bytes);
    // Sent again before anybody read it.
    await writeFile(onDisk, Buffer.alloc(bytes.length));
    assert.equal(await uploadFor(bytes), 204);
    assert.deepEqual((await read())?.bytes, bytes);
  });

  test('an unfinished upload belongs to who sends it: nobody else disturbs it', async () => {
    const bytes = Buffer.from(`two halves ${Math.random()}`);
    const url = `/api/v1/uploads/${digestOf(bytes)}`;
    const half = bytes.subarray(0, 5);
    await server.callWith(member, 'PATCH', url, {
      bytes: half,
      headers: chunkHeaders(half, 0, bytes.length),
    });
    const other = await server.callWith(administrator, 'PATCH', url, {
      bytes: half,
      headers: chunkHeaders(half, 0, 3),
    });
    assert.equal(other.body.code, 'file.digest_wrong');
    assert.equal((await server.callWith(administrator, 'HEAD', url)).headers['upload-offset'], '0');
    assert.equal((await server.callWith(member, 'HEAD', url)).headers['upload-offset'], '5');
  });

  test('a manifest is strict JSON: one in which a key stands twice names no files', async () => {
    const input = Buffer.from('an input');
    assert.equal(await uploadFor(input), 204);
    const file = { path: 'x', mode: 'file', digest: digestOf(input), size: input.length };
    const plain = JSON.stringify([file]);
    for (const [text, status] of [
      [plain, 201],
      [plain.replace('"path":"x"', '"path":"y","path":"x"'), 422],
      [plain.replace('"path":"x"', '"path":"y","p\\u0061th":"x"'), 422],
    ] as const) {
      const manifest = Buffer.from(text);
      assert.equal(await uploadFor(manifest), 204);
      const inputs = {
        is: 'manifest' as const,
        digest: digestOf(manifest),
        size: manifest.length,
        files: 1,
        bytes: input.length,
      };
      const command = { argv: ['true'], variables: [], inputs, secrets: [] };
      const variants = [{ platform: { os: null, arch: null }, command }];
      const { answer, order } = await submit({ runs: { is: 'command', variants } });
      assert.equal(answer.status, status, text);
      if (status === 201) await cancel(order.job);
    }
  });

  test('an order that names files which were not sent says which', async () => {
    const digest = digestOf('never sent');
    const command = {
      argv: ['cat', 'x'],
      variables: [],
      inputs: { is: 'list' as const, files: [{ path: 'x', mode: 'file' as const, digest, size: 10 }] },
      secrets: [],
    };
    const { answer } = await submit({
      runs: { is: 'command', variants: [{ platform: { os: null, arch: null }, command }] },
    });
    assert.deepEqual(
      [answer.status, answer.body.code, answer.body.errors[0].detail],
      [422, 'file.missing', digest],
    );
    assert.equal(
      (
        await submit({
          project: 'elsewhere',
          runs: { is: 'command', variants: [{ platform: { os: null, arch: null }, command }] },
        })
      ).answer.body.code,
      'file.missing',
    );
  });

  test('events of a job come as they happen, resume after an id, and carry receipts when asked', async () => {
    const agent = await makeAgent(server, 'eventful');
    await agent.connect({ credits: 4 });
    await agent.next('welcome');
    const { order } = await submit({ array: { is: 'range', from: 0, to: 1 } });
    const stream = await openApi(
      { socket: server.running.addresses.socket },
      'GET',
      `/api/v1/jobs/${order.job}/events?receipts=1`,
    );
    let text = '';
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const ended = new Promise<void>((resolve) => stream.on('end', () => resolve()));
    const first = await agent.lease();
    const second = await agent.lease();
    const { job, index, attempt, token } = first;
    agent.send({ is: 'progress', task: { job, index, attempt, token }, progress: 400, message: 'half way' });
    await sleep(150);
    for (const lease of [first, second])
      agent.send({
        is: 'receipts',
        receipts: [{ envelope: agent.receipt(lease), stdout: null, stderr: null }],
      });
    await ended;
    const events = text
      .split('\n\n')
      .filter((event) => event.startsWith('id: '))
      .map((event) => JSON.parse(event.slice(event.indexOf('data: ') + 6)));
    for (const event of events)
      assert.ok(jobEventCheck.is(event), JSON.stringify(jobEventCheck.faults(event)));
    assert.equal(events.at(-1).job.state, 'succeeded');
    assert.equal(events.filter((event) => event.is === 'receipt').length, 2);
    assert.ok(events.some((event) => event.is === 'task' && event.task.progress?.message === 'half way'));
    const ids = text.match(/^id: (\d+)$/gm)?.map((line) => Number(line.slice(4))) ?? [];
    assert.deepEqual(
      ids,
      ids.toSorted((a, b) => a - b),
    );
    const later = await server.call('GET', `/api/v1/jobs/${order.job}/events`, {
      headers: { 'last-event-id': String(ids.at(-1)) },
    });
    assert.equal(later.bytes.toString().includes('"is":"task"'), false);
    await agent.close();
  });

  test('long receipts are sent one after the other in the events of a job, and are never one text together', async () => {
    const agent = await makeAgent(server, 'longwinded');
    await agent.connect({ credits: 8 });
    await agent.next('welcome');
    const { order } = await submit({ array: { is: 'range', from: 0, to: 7 } });
    const bytes = Buffer.from('an output');
    const headers = chunkHeaders(bytes, 0, bytes.length);
    await server.call('PATCH', `/api/v1/uploads/${digestOf(bytes)}`, { bytes, headers });
    const file = { mode: 'file', digest: digestOf(bytes), size: bytes.length } as const;
    const outputs = Array.from({ length: 1_000 }, (_, n) => ({ path: `${'x'.repeat(150)}-${n}`, ...file }));
    const lengths: number[] = [];
    for (let n = 0; n < 8; n += 1) {
      const envelope = agent.receipt(await agent.lease(), { outputs });
      lengths.push(JSON.stringify(envelope).length);
      agent.send({ is: 'receipts', receipts: [{ envelope, stdout: null, stderr: null }] });
      assert.deepEqual((await agent.next('accepted')).refused, []);
    }
    await agent.close();
    const longest = Math.max(...lengths);
    assert.ok(longest > 200_000, `${longest}`);

    // As it travels: over HTTP/1.1 each text that is written is a chunk, which says how long it is.
    const socket = connectSocket(server.running.addresses.socket);
    socket.write(
      `GET /api/v1/jobs/${order.job}/events?receipts=1 HTTP/1.1\r\nhost: writ\r\nconnection: close\r\n\r\n`,
    );
    const read: Buffer[] = [];
    for await (const chunk of socket) read.push(chunk as Buffer);
    const answer = Buffer.concat(read);
    const written: number[] = [];
    for (let at = answer.indexOf('\r\n\r\n') + 4; at < answer.length;) {
      const end = answer.indexOf('\r\n', at);
      const length = Number.parseInt(answer.toString('latin1', at, end), 16);
      assert.ok(Number.isSafeInteger(length));
      written.push(length);
      at = end + 2 + length + 2;
    }
    assert.ok(
      written.reduce((sum, length) => sum + length, 0) > 8 * Math.min(...lengths),
      'all of them came',
    );
    assert.ok(Math.max(...written) < longest + 100_000, `${written.join(' ')} of ${longest}`);
  });

  test('a log is followed while it grows, to the last byte of its attempt', async () => {
    const agent = await makeAgent(server, 'talkative');
    await agent.connect({ credits: 4 });
    await agent.next('welcome');
    const { order } = await submit();
    const lease = await agent.lease();
    const stream = await openApi(
      { socket: server.running.addresses.socket },
      'GET',
      `/api/v1/jobs/${order.job}/tasks/0/logs/stdout?follow=1`,
    );
    let text = '';
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const ended = new Promise<void>((resolve) => stream.on('end', () => resolve()));
    const path = `/link/v1/logs/${order.job}/0/1/stdout`;
    await agent.request('POST', `${path}?offset=0`, Buffer.from('one\n'));
    while (text !== 'one\n') await sleep(20);
    await agent.request('POST', `${path}?offset=0`, Buffer.from('one\ntwo\n'));
    agent.send({
      is: 'receipts',
      receipts: [
        { envelope: agent.receipt(lease, { stdout: inline('one\ntwo\n').log }), stdout: null, stderr: null },
      ],
    });
    await ended;
    assert.equal(text, 'one\ntwo\n');
    assert.equal(
      (await server.call('GET', `/api/v1/jobs/${order.job}/tasks/0/logs/stdout?offset=4`)).bytes.toString(),
      'two\n',
    );
    const { body } = await server.call('GET', '/api/v1/agents/talkative');
    assert.ok(agentViewCheck.is(body), JSON.stringify(agentViewCheck.faults(body)));
    assert.equal(body.tasksDone, 1);
    await agent.close();
  });

  test('a token follows so many logs at once and no more, whatever connection they are on', async () => {
    const { order } = await submit();
    const token = await server.makeToken('member');
    const session = connectHttp2(`https://localhost:${server.peoplePort}`, { ca: server.ca });
    session.on('error', () => {});
    await once(session, 'remoteSettings');
    assert.equal(session.remoteSettings.maxConcurrentStreams, 100);
    session.destroy();
    const path = `/api/v1/jobs/${order.job}/events`;
    const place = { port: server.peoplePort, token, ca: server.ca };
    const open = await Promise.all(
      Array.from({ length: 256 }, async () => await openApi(place, 'GET', path)),
    );
    assert.deepEqual([...new Set(open.map((answer) => answer.statusCode))], [200]);
    const { status, body } = await server.callWith(token, 'GET', path);
    assert.deepEqual([status, body.code], [429, 'quota.exceeded']);
    for (const answer of open) answer.destroy();
    await sleep(500);
    const again = await openApi(place, 'GET', path);
    assert.equal(again.statusCode, 200);
    again.destroy();
    await cancel(order.job);
  });

  test('a log that is followed ends within seconds when its token is revoked', async () => {
    const { order } = await submit();
    const { body } = await server.call('POST', '/api/v1/tokens', {
      body: { name: 'leaked', role: 'member', expiresSeconds: 3_600 },
    });
    const { port } = server.running.addresses.people ?? { port: 0 };
    const stream = await openApi(
      { port, ca: server.ca, token: body.token },
      'GET',
      `/api/v1/jobs/${order.job}/tasks/0/logs/stdout?follow=1`,
    );
    const closed = new Promise<void>((resolve) =>
      stream.once('close', () => resolve()).once('error', () => {}),
    );
    stream.resume();
    await server.call('DELETE', `/api/v1/tokens/${body.id}`);
    const first = await Promise.race([closed.then(() => 'closed'), sleep(5_000, 'open', { ref: false })]);
    stream.destroy();
    assert.equal(first, 'closed');
  });

  test('a flood of wrong tokens is told off, and fills the audit trail no further; right ones go through', async () => {
    const recorded = async (): Promise<number> => {
      const { body } = await server.call('GET', '/api/v1/audit?limit=500');
      return body.items.filter((item: { detail?: string }) => item.detail === 'auth.refused').length;
    };
    const before = await recorded();
    const statuses: number[] = [];
    for (let at = 0; at < 80; at += 1)
      statuses.push((await server.callWith(`writ_${'B'.repeat(43)}`, 'GET', '/api/v1/jobs')).status);
    assert.deepEqual([statuses[0], statuses.at(-1)], [401, 429]);
    assert.ok((await recorded()) - before <= 60, `${(await recorded()) - before} records`);
    assert.equal((await server.callWith(member, 'GET', '/api/v1/jobs')).status, 200);
  });

  test('what is on is told from the running parts', async () => {
    const agent = await makeAgent(server, 'shown');
    await agent.connect();
    await agent.next('welcome');
    const { body } = await server.callWith(administrator, 'GET', '/api/v1/server');
    assert.deepEqual(body.tls, { least: 'TLSv1.3', tickets: false, seen: ['TLSv1.3'] });
    assert.match(body.database, /sqlite/);
    assert.ok(body.links >= 1 && body.memory.rssBytes > 0);
    await agent.close();
  });

  test('a busy port and a folder in use are said, with what to do', async () => {
    await assert.rejects(start({ state: server.state, host: '127.0.0.1' }), { code: 'state.in_use' });
    const other = await startTestServer();
    const { state } = other;
    await other.running.close();
    await assert.rejects(
      start({ state, host: '127.0.0.1', peoplePort: server.peoplePort, agentPort: 0 }),
      (error: { code: string; message: string }) =>
        error.code === 'listen.port_busy' && error.message.includes('--port'),
    );
    await assert.rejects(
      start({ state, host: '127.0.0.1', peoplePort: 0, agentPort: server.agentPort }),
      (error: { code: string; message: string }) =>
        error.code === 'listen.port_busy' && error.message.includes('--agent-port'),
    );
    await rm(state, { recursive: true, force: true });
  });

  test('a set that does not follow, and a second claim, are refused', async () => {
    const { envelope } = server.sets.newest;
    assert.equal(
      (await server.call('POST', '/api/v1/setup', { body: { set: envelope } })).status,
      200,
      'the same again',
    );
    const other = await startTestServer();
    try {
      const foreign = other.sets.newest.envelope;
      const refused = await server.call('POST', '/api/v1/setup', { body: { set: foreign } });
      assert.deepEqual([refused.status, refused.body.errors[0].detail], [422, 'set.authority_missing']);
      const change = await server.call('POST', '/api/v1/sets', { body: { sets: [foreign] } });
      assert.deepEqual([change.status, change.body.code], [422, 'set.refused']);
    } finally {
      await other.close();
    }
  });
});
