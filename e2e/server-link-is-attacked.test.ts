import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { BOUNDS, LINK_ROUTES, type Order } from '@writ/contract';
import {
  addSignature,
  generateP256,
  makeReceipt,
  makeWithdrawal,
  readUnverified,
  seal,
  setRef,
} from '@writ/trust';
import { PAYLOAD_TYPES, receiptCheck } from '@writ/contract';
import { digestOf } from '@writ/trust/digest';
import { makeSignedOrder, randomId } from '../testkit/src/make-order.ts';
import { newSigner, startTestServer, type TestServer } from '../testkit/src/start-test-server.ts';
import {
  certificateOf,
  connectLink,
  describe as describeAgent,
  enrol,
  type HeldLease,
  inline,
  makeAgent,
  type TestAgent,
} from '../testkit/src/test-agent.ts';

/** An agent as an attacker: it may do everything that a program with an admitted key can. */
describe('a hostile agent', { timeout: 120_000 }, () => {
  let server: TestServer;
  let honest: TestAgent;
  let hostile: TestAgent;

  before(async () => {
    server = await startTestServer();
    // Orders name one of the two, so that a test knows who gets what.
    honest = await makeAgent(server, 'honest');
    hostile = await makeAgent(server, 'hostile');
    for (const agent of [honest, hostile]) {
      await agent.connect({ credits: 64 });
      await agent.next('welcome');
    }
  });
  after(async () => {
    await server.close();
  });

  const submitFor = async (agent: TestAgent, changes: Partial<Order> = {}) => {
    const made = makeSignedOrder(server.sets, server.person, {
      machine: { facts: [], labels: [], agents: [agent.identity.key], excluded: [], notAdmitted: [] },
      ...changes,
    });
    const answer = await server.call('POST', '/api/v1/jobs', { body: { order: made.envelope } });
    assert.equal(answer.status, 201, answer.bytes.toString());
    return made;
  };
  const stateOf = async (job: string): Promise<string> =>
    (await server.call('GET', `/api/v1/jobs/${job}`)).body.state;
  const reconnect = async (agent: TestAgent): Promise<void> => {
    await agent.connect({ credits: 64, held: [] });
    await agent.next('welcome');
  };

  test('a receipt for the lease of another agent is stored and changes nothing', async () => {
    const { order } = await submitFor(honest);
    const lease = await honest.lease();
    hostile.send({
      is: 'receipts',
      receipts: [{ envelope: hostile.receipt(lease), stdout: null, stderr: null }],
    });
    const { refused } = await hostile.next('accepted');
    assert.equal(refused.length, 1);
    assert.equal(await stateOf(order.job), 'leased');
    const { body } = await server.call('GET', `/api/v1/jobs/${order.job}/receipts`);
    assert.deepEqual(
      body.items.map((item: { isAccepted: boolean }) => item.isAccepted),
      [false],
    );

    honest.send({
      is: 'receipts',
      receipts: [{ envelope: honest.receipt(lease), stdout: null, stderr: null }],
    });
    assert.deepEqual((await honest.next('accepted')).refused, []);
    assert.equal(await stateOf(order.job), 'succeeded');
  });

  test('renewing, starting or handing back the task of another agent has no effect', async () => {
    const { order } = await submitFor(honest);
    const { order: digest, ...lease } = await honest.lease();
    hostile.send({ is: 'renew', tasks: [lease] });
    assert.deepEqual((await hostile.next('renewed')).lost, [lease]);
    hostile.send({ is: 'started', tasks: [lease] });
    assert.deepEqual((await hostile.next('renewed')).lost, [lease]);
    hostile.send({ is: 'returned', tasks: [lease] });
    assert.equal(await stateOf(order.job), 'leased');
    honest.send({
      is: 'receipts',
      receipts: [{ envelope: honest.receipt({ ...lease, order: digest }), stdout: null, stderr: null }],
    });
    assert.deepEqual((await honest.next('accepted')).refused, []);
  });

  test('a receipt with an older or newer token, another index or another order is refused', async () => {
    const { order } = await submitFor(hostile, { array: { is: 'range', from: 0, to: 1 } });
    const lease = await hostile.lease();
    const other = await submitFor(hostile);
    for (const [changes, code] of [
      [{ token: { ...lease.token, n: lease.token.n + 1_000 } }, 'lease.stale'],
      [{ token: { epoch: lease.token.epoch + 1, n: lease.token.n } }, 'lease.stale'],
      [{ index: 7 }, 'receipt.order_mismatch'],
      [{ order: other.digest }, 'receipt.order_mismatch'],
      [{ attempt: 9 }, 'receipt.order_mismatch'],
      [{ profile: 'bare' as const }, 'receipt.order_mismatch'],
    ] as const) {
      hostile.send({
        is: 'receipts',
        receipts: [{ envelope: hostile.receipt(lease, changes), stdout: null, stderr: null }],
      });
      const { refused } = await hostile.next('accepted');
      assert.deepEqual(
        refused.map((one) => one.code),
        [code],
        JSON.stringify(changes),
      );
    }
    assert.equal(await stateOf(order.job), 'leased');
    await server.call('POST', `/api/v1/jobs/${order.job}/cancel`, {
      body: { indexes: null, how: 'kill', withdrawal: null },
    });
    await server.call('POST', `/api/v1/jobs/${other.order.job}/cancel`, {
      body: { indexes: null, how: 'kill', withdrawal: null },
    });
    hostile.leases.length = 0;
  });

  test('a receipt that another key signed ends the link, and stands in the audit trail', async () => {
    const { order } = await submitFor(hostile);
    const lease = await hostile
      .next('lease')
      .then((message) => ({ job: message.job, order: message.order, ...message.tasks[0]! }));
    const genuine = readUnverified(hostile.receipt(lease), {
      type: PAYLOAD_TYPES.receipt,
      check: receiptCheck,
    });
    const forged = makeReceipt(genuine.predicate, newSigner());
    hostile.send({ is: 'receipts', receipts: [{ envelope: forged.envelope, stdout: null, stderr: null }] });
    assert.match((await hostile.next('close')).code, /^envelope\./);
    await hostile.closed;
    assert.notEqual(await stateOf(order.job), 'succeeded');
    const { body } = await server.call('GET', '/api/v1/audit?limit=20');
    const record = body.items.find((item: { action: string }) => item.action === 'receipt.forged');
    assert.deepEqual([record?.object, record?.outcome], ['agent:hostile', 'refused']);
    await server.call('POST', `/api/v1/jobs/${order.job}/cancel`, {
      body: { indexes: null, how: 'kill', withdrawal: null },
    });
    await reconnect(hostile);
  });

  test('logs and outputs that are not what the receipt says are not accepted', async () => {
    const { order } = await submitFor(hostile, { array: { is: 'range', from: 0, to: 3 } });
    const leases = [await hostile.lease(), await hostile.lease(), await hostile.lease()];
    const said = inline('what it said\n');
    hostile.send({
      is: 'receipts',
      receipts: [
        {
          envelope: hostile.receipt(leases[0]!, { stdout: said.log }),
          stdout: inline('something else').base64,
          stderr: null,
        },
      ],
    });
    assert.equal((await hostile.next('accepted')).refused[0]?.code, 'receipt.log_mismatch');
    hostile.send({
      is: 'receipts',
      receipts: [{ envelope: hostile.receipt(leases[1]!, { stdout: said.log }), stdout: null, stderr: null }],
    });
    assert.equal((await hostile.next('accepted')).refused[0]?.code, 'receipt.log_mismatch');
    const output = {
      path: 'result',
      mode: 'file' as const,
      digest: digestOf(Buffer.from('never sent')),
      size: 10,
    };
    hostile.send({
      is: 'receipts',
      receipts: [
        { envelope: hostile.receipt(leases[2]!, { outputs: [output] }), stdout: null, stderr: null },
      ],
    });
    assert.equal((await hostile.next('accepted')).refused[0]?.code, 'receipt.output_missing');
    assert.equal(await stateOf(order.job), 'leased');
    await server.call('POST', `/api/v1/jobs/${order.job}/cancel`, {
      body: { indexes: null, how: 'kill', withdrawal: null },
    });
    hostile.leases.length = 0;
  });

  test('an agent leaves no log for a task of another agent, nor for a job that never was', async () => {
    // It may have tasks of the same job, and has none.
    const thief = await makeAgent(server, 'thief');
    await thief.connect({ credits: 0 });
    await thief.next('welcome');
    const agents = [honest.identity.key, thief.identity.key];
    const { order } = await submitFor(honest, {
      machine: { facts: [], labels: [], agents, excluded: [], notAdmitted: [] },
    });
    const lease = await honest.lease();
    const [said, forged] = [inline('the true result\n'), inline('forged by another agent\n')];
    const offer = async (agent: TestAgent, of: HeldLease, log: typeof said): Promise<string[]> => {
      const envelope = agent.receipt(of, { stdout: log.log });
      agent.send({ is: 'receipts', receipts: [{ envelope, stdout: log.base64, stderr: null }] });
      return (await agent.next('accepted')).refused.map(({ code }) => code);
    };
    assert.deepEqual(await offer(honest, lease, said), []);
    const file = join(server.state, 'server', 'logs', order.job.slice(0, 2), order.job, 'short');
    const size = statSync(file).size;
    for (let times = 0; times < 3; times += 1)
      assert.deepEqual(await offer(thief, lease, forged), ['lease.stale']);
    const shown = await server.call('GET', `/api/v1/jobs/${order.job}/tasks/0/logs/stdout`);
    assert.equal(shown.bytes.toString(), 'the true result\n');
    assert.equal(statSync(file).size, size);
    const never = randomId();
    assert.deepEqual(await offer(thief, { ...lease, job: never }, forged), ['receipt.job_unknown']);
    assert.equal(existsSync(join(server.state, 'server', 'logs', never.slice(0, 2), never)), false);
    await thief.close();
  });

  test('files: an agent reads inputs of its own leases, writes outputs under their true digest, and nothing else', async () => {
    // It holds nothing any more.
    await hostile.close();
    await reconnect(hostile);
    const input = Buffer.from(`private input ${Math.random()}`);
    const digest = digestOf(input);
    await upload(server, input);
    const command = {
      argv: ['cat', 'x'],
      variables: [],
      inputs: {
        is: 'list' as const,
        files: [{ path: 'x', mode: 'file' as const, digest, size: input.length }],
      },
      secrets: [],
    };
    const { order } = await submitFor(honest, {
      runs: { is: 'command', variants: [{ platform: { os: null, arch: null }, command }] },
    });
    const lease = await honest.lease();
    const path = LINK_ROUTES.file.replace(':digest', digest);
    assert.deepEqual(await honest.request('GET', path), { status: 200, bytes: input });
    const absent = await hostile.request(
      'GET',
      LINK_ROUTES.file.replace(':digest', digestOf(Buffer.from('nowhere'))),
    );
    const foreign = await hostile.request('GET', path);
    assert.equal(foreign.status, 404);
    assert.deepEqual(foreign.bytes, absent.bytes);

    const output = Buffer.from('an output');
    const outputPath = outputOf(output, lease);
    assert.equal((await hostile.request('PUT', outputPath, output)).status, 404);
    assert.equal((await honest.request('PUT', outputPath, Buffer.from('an 0utput'))).status, 422);
    assert.deepEqual(
      [
        existsSync(onDisk(server, digestOf(output))),
        existsSync(onDisk(server, digestOf(Buffer.from('an 0utput')))),
      ],
      [false, false],
    );
    assert.equal((await honest.request('PUT', outputPath, output)).status, 204);
    assert.equal((await honest.request('PUT', '/link/v1/files/..%2f..%2fwrit.db', output)).status, 400);
    assert.equal((await honest.request('PUT', outputPath.replace(/\?.*/, ''), output)).status, 400);
    const next = outputOf(output, { ...lease, attempt: 2 });
    assert.equal((await honest.request('PUT', next, output)).status, 404);

    const logOf = (index: number): string =>
      LINK_ROUTES.log
        .replace(':job', order.job)
        .replace(':index', String(index))
        .replace(':attempt', '1')
        .replace(':stream', 'stdout');
    assert.equal(
      (await hostile.request('POST', `${logOf(0)}?offset=0`, Buffer.from('not mine'))).status,
      404,
    );
    assert.equal((await honest.request('POST', `${logOf(0)}?offset=0`, Buffer.from('mine'))).status, 200);
    assert.equal((await honest.request('POST', `${logOf(0)}?offset=9`, Buffer.from('a gap'))).status, 409);
    const outputs = [{ path: 'out', mode: 'file' as const, digest: digestOf(output), size: output.length }];
    honest.send({
      is: 'receipts',
      receipts: [
        {
          envelope: honest.receipt(lease, { outputs, stdout: inline('mine').log }),
          stdout: null,
          stderr: null,
        },
      ],
    });
    assert.deepEqual((await honest.next('accepted')).refused, []);
    const got = await server.call('GET', `/api/v1/jobs/${order.job}/files/${digestOf(output)}`);
    assert.equal(got.bytes.toString(), 'an output');
    assert.equal((await honest.request('GET', path)).status, 404, 'the lease is over');
  });

  test('naming a digest is no proof of having the bytes: neither an agent nor a person gets a file by its digest', async () => {
    const secret = Buffer.from(`secret of one project ${Math.random()}`);
    const digest = digestOf(secret);
    const path = LINK_ROUTES.file.replace(':digest', digest);
    const one = await submitFor(honest, { project: 'secret' });
    const two = await submitFor(hostile, { project: 'other' });
    const mine = await honest.lease();
    const other = await hostile.lease();
    assert.equal((await honest.request('PUT', outputOf(secret, mine), secret)).status, 204);
    assert.equal((await hostile.request('PUT', outputOf(secret, mine), secret)).status, 404);
    assert.equal((await hostile.request('PUT', outputOf(secret, other), Buffer.alloc(0))).status, 422);
    assert.equal((await hostile.request('GET', path)).status, 404);
    const empty = `sha-256=:${Buffer.from(digestOf('').slice(7), 'hex').toString('base64')}:`;
    const headers = { 'upload-offset': '0', 'upload-length': `${secret.length}`, 'content-digest': empty };
    await server.call('PATCH', `/api/v1/uploads/${digest}`, { bytes: new Uint8Array(), headers });
    assert.equal((await server.call('GET', `/api/v1/files/${digest}`)).status, 404);
    for (const { order } of [one, two])
      await server.call('POST', `/api/v1/jobs/${order.job}/cancel`, {
        body: { indexes: null, how: 'kill', withdrawal: null },
      });
    for (const agent of [honest, hostile]) {
      await agent.close();
      await reconnect(agent);
    }
  });

  test('room is asked for as many bytes as an output says it has, and for all that it may have when it says nothing', async () => {
    const { order } = await submitFor(honest, {
      limits: { ...makeSignedOrder(server.sets, server.person).order.limits, outputBytes: 2 ** 50 },
    });
    const lease = await honest.lease();
    const nothing = Buffer.alloc(0);
    const put = (bytes: Buffer, headers?: Record<string, string>) =>
      honest.request('PUT', outputOf(bytes, lease), bytes, headers);
    assert.equal((await put(nothing, { 'content-length': '0' })).status, 204);
    assert.equal((await put(Buffer.from('short'), { 'content-length': '5' })).status, 204);
    assert.equal((await put(Buffer.from('of any length'))).status, 507);
    await server.call('POST', `/api/v1/jobs/${order.job}/cancel`, {
      body: { indexes: null, how: 'kill', withdrawal: null },
    });
    await honest.close();
    await reconnect(honest);
  });

  test('an output is known to the project of its task only, and read by no other task of its job', async () => {
    const first = await submitFor(hostile, { project: 'secret', array: { is: 'range', from: 0, to: 1 } });
    const second = await submitFor(hostile, { project: 'other' });
    const [one, two] = [await hostile.lease(), await hostile.lease()];
    const third = await hostile.lease();
    const bytes = Buffer.from(`an output ${Math.random()}`);
    const digest = digestOf(bytes);
    assert.equal((await hostile.request('PUT', outputOf(bytes, one), bytes)).status, 204);
    const outputs = [{ path: 'out', mode: 'file' as const, digest, size: bytes.length }];
    const report = async (lease: typeof one): Promise<string[]> => {
      hostile.send({
        is: 'receipts',
        receipts: [{ envelope: hostile.receipt(lease, { outputs }), stdout: null, stderr: null }],
      });
      return (await hostile.next('accepted')).refused.map((refused) => refused.code);
    };
    assert.deepEqual(await report(one), []);
    // It still holds the other task of that job, and a task of another project.
    assert.equal((await hostile.request('GET', LINK_ROUTES.file.replace(':digest', digest))).status, 404);
    assert.deepEqual(await report(third), ['receipt.output_missing']);
    assert.deepEqual(await report(two), []);
    assert.equal((await server.call('GET', `/api/v1/jobs/${first.order.job}/files/${digest}`)).status, 200);
    await server.call('POST', `/api/v1/jobs/${second.order.job}/cancel`, {
      body: { indexes: null, how: 'kill', withdrawal: null },
    });
    await hostile.close();
    await reconnect(hostile);
  });

  test('when the disk is nearly full, neither outputs and logs of agents nor files and jobs of people are taken', async () => {
    const { order } = await submitFor(hostile);
    const { order: _digest, ...lease } = await hostile.lease();
    const bytes = Buffer.from(`more ${Math.random()}`);
    const log = `/link/v1/logs/${lease.job}/${lease.index}/${lease.attempt}/stdout?offset=0`;
    await hostile.close();
    await server.restart({ reserveBytes: Number.MAX_SAFE_INTEGER });
    await hostile.connect({ credits: 0, held: [{ ...lease, is: 'running' }] });
    await hostile.next('renewed');
    assert.equal((await hostile.request('PUT', outputOf(bytes, lease), bytes)).status, 507);
    assert.equal((await hostile.request('POST', log, bytes)).status, 507);
    const headers = {
      'upload-offset': '0',
      'upload-length': `${bytes.length}`,
      'content-digest': `sha-256=:${Buffer.from(digestOf(bytes).slice(7), 'hex').toString('base64')}:`,
    };
    const sent = await server.call('PATCH', `/api/v1/uploads/${digestOf(bytes)}`, { bytes, headers });
    assert.deepEqual([sent.status, sent.body.code], [507, 'storage.full']);
    const { envelope } = makeSignedOrder(server.sets, server.person);
    const submitted = await server.call('POST', '/api/v1/jobs', { body: { order: envelope } });
    assert.equal(submitted.body.code, 'storage.full');
    await server.restart();
    await hostile.connect({ credits: 64, held: [{ ...lease, is: 'running' }] });
    await hostile.next('renewed');
    assert.equal((await hostile.request('PUT', outputOf(bytes, lease), bytes)).status, 204);
    assert.equal((await hostile.request('POST', log, bytes)).status, 200);
    await server.call('POST', `/api/v1/jobs/${order.job}/cancel`, {
      body: { indexes: null, how: 'kill', withdrawal: null },
    });
    await hostile.close();
    await reconnect(honest);
    await reconnect(hostile);
  });

  test('what was withdrawn while an agent was away reaches it before any work, until the order’s end', async () => {
    const away = await makeAgent(server, 'away');
    const withdraw = async (changes: Partial<Order>) => {
      const { order, digest } = await submitFor(away, changes);
      const wish = {
        cluster: server.sets.cluster,
        order: digest,
        indexes: null,
        person: server.person.id,
        now: Date.now(),
      };
      const { envelope } = makeWithdrawal(wish, server.person.signer);
      const answer = await server.call('POST', `/api/v1/jobs/${order.job}/cancel`, {
        body: { indexes: null, how: 'kill', withdrawal: envelope },
      });
      assert.equal(answer.status, 200, answer.bytes.toString());
      return envelope;
    };
    const kept = await withdraw({});
    const over = await withdraw({ notAfter: Date.now() + 1_500 });
    await sleep(1_600);
    await server.restart();
    const { order } = await submitFor(away);
    await away.connect({ credits: 4 });
    await away.next('welcome');
    assert.equal((await away.lease()).job, order.job);
    const told = away.received.flatMap((message) => (message.is === 'withdraw' ? [message.envelope] : []));
    assert.deepEqual(told, [kept]);
    assert.notDeepEqual(over, kept);
    await away.close();
    await reconnect(honest);
    await reconnect(hostile);
  });

  test('who refused a job for a reason of its own is not offered it again after a restart, unless it has changed', async () => {
    const { order } = await submitFor(hostile);
    const refusal = hostile.receipt(await hostile.lease(), {
      kind: 'refused',
      because: 'owner.refuses',
      exit: null,
      variant: null,
      profile: null,
      started: null,
    });
    hostile.send({ is: 'receipts', receipts: [{ envelope: refusal, stdout: null, stderr: null }] });
    assert.deepEqual((await hostile.next('accepted')).refused, []);
    await hostile.close();
    await server.restart();
    await reconnect(hostile);
    await sleep(1_500);
    assert.equal(await stateOf(order.job), 'waiting');
    await hostile.close();
    const description = describeAgent(server, hostile.identity, 'hostile', { policy: 'everyone' });
    await hostile.connect({ credits: 64, description });
    assert.equal((await hostile.lease()).job, order.job);
    await server.call('POST', `/api/v1/jobs/${order.job}/cancel`, {
      body: { indexes: null, how: 'kill', withdrawal: null },
    });
    await hostile.close();
    await reconnect(hostile);
    await reconnect(honest);
  });

  test('who has written a log cannot hand the task back: its next agent would find that log as its own', async () => {
    const { order } = await submitFor(hostile);
    const { order: _digest, ...lease } = await hostile.lease();
    const log = `/link/v1/logs/${order.job}/${lease.index}/${lease.attempt}/stdout?offset=0`;
    assert.equal((await hostile.request('POST', log, Buffer.from('forged\n'))).status, 200);
    hostile.send({ is: 'returned', tasks: [lease] }, { is: 'renew', tasks: [lease] });
    assert.deepEqual((await hostile.next('renewed')).lost, []);
    assert.equal(await stateOf(order.job), 'running');
    await server.call('POST', `/api/v1/jobs/${order.job}/cancel`, {
      body: { indexes: null, how: 'kill', withdrawal: null },
    });
    await hostile.close();
    await reconnect(hostile);
  });

  test('messages with unknown fields, of unknown kinds, too long or out of turn end the link', async () => {
    const valid = { is: 'credits', more: 1 };
    for (const [text, code] of [
      [`${JSON.stringify({ ...valid, and: 1 })}\n`, 'link.malformed'],
      [`${JSON.stringify({ is: 'obey' })}\n`, 'link.malformed'],
      ['{"is":"credits","more":\n', 'link.malformed'],
      [`${JSON.stringify({ is: 'credits', more: 1e9 })}\n`, 'link.malformed'],
      [`{"is":"pong","n":1,"__proto__":{"n":1}}\n`, 'link.malformed'],
      ['{"is":"pong","n":1,"n":2}\n', 'link.malformed'],
      ['{"is":"pong","n":1,"\\u006e":2}\n', 'link.malformed'],
      [`${'['.repeat(100_000)}\n`, 'link.malformed'],
      [`"${'x'.repeat(17 * 1024 * 1024)}`, 'link.line_too_long'],
    ] as const) {
      hostile.sendRaw(text);
      assert.equal((await hostile.next('close', 20_000)).code, code, text.slice(0, 60));
      await hostile.closed;
      await reconnect(hostile);
    }
    hostile.send({
      is: 'hello',
      link: 1,
      writ: '0.1.0',
      description: describeAgent(server, hostile.identity, 'hostile'),
      set: { version: 1, digest: server.sets.newest.digest },
      seq: hostile.seq,
      credits: 0,
      held: [],
    });
    assert.equal((await hostile.next('close')).code, 'link.hello_twice');
    await hostile.closed;
    await hostile.connect({ link: 2 });
    assert.equal((await hostile.next('close')).code, 'link.version');
    await hostile.closed;
    await hostile.connect({ description: describeAgent(server, honest.identity, 'honest') });
    assert.match((await hostile.next('close')).code, /^(description|envelope)\./);
    await hostile.closed;
    await reconnect(hostile);
  });

  test('an agent whose folder was rolled back is not served', async () => {
    const { order } = await submitFor(hostile);
    hostile.send({
      is: 'receipts',
      receipts: [{ envelope: hostile.receipt(await hostile.lease()), stdout: null, stderr: null }],
    });
    await hostile.next('accepted');
    assert.equal(await stateOf(order.job), 'succeeded');
    await hostile.close();
    await hostile.connect({ seq: hostile.seq - 1 });
    assert.equal((await hostile.next('close')).code, 'link.rolled_back');
    await hostile.closed;
    await reconnect(hostile);
  });

  test('without a certificate, with a stranger’s or with another agent’s words, no route is reached', async () => {
    const socket = connect({
      host: '127.0.0.1',
      port: server.agentPort,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      minVersion: 'TLSv1.3',
    });
    const session = connectHttp2('https://writ', { createConnection: () => socket });
    let settings = 0;
    session.on('remoteSettings', () => (settings += 1));
    session.on('error', () => {});
    await new Promise<void>((resolve) => session.on('close', () => resolve()));
    assert.equal(settings, 0, 'the server spoke HTTP/2 with nobody');

    const other = await startTestServer();
    try {
      const stranger = await enrol(other, await admitted(other, 'honest'));
      await assert.rejects(reachRoute(server, stranger));
    } finally {
      await other.close();
    }
    // Its own leaf, after a newer one: superseded.
    const identity = await admitted(server, 'twice');
    const first = await enrol(server, identity);
    const second = await enrol(server, identity, first.serial);
    await assert.rejects(reachRoute(server, first), 'superseded');
    assert.equal(await reachRoute(server, second), 200);
  });

  test('a ban cuts the open link at once, gives its work back, and lets it in no more', async () => {
    const banned = await makeAgent(server, 'banned');
    await banned.connect({ credits: 4 });
    await banned.next('welcome');
    const { order } = await submitFor(banned);
    await banned.lease();
    const answer = await server.call('POST', '/api/v1/agents/banned/ban', { body: { reason: 'stolen' } });
    assert.equal(answer.body.state, 'banned');
    assert.equal((await banned.next('close')).code, 'certificate.banned');
    await banned.closed;
    await assert.rejects(reachRoute(server, banned.own));
    assert.notEqual(await stateOf(order.job), 'leased');
    await assert.rejects(enrol(server, banned.identity), /banned/);
    await server.restart();
    await assert.rejects(reachRoute(server, banned.own), 'it survives a restart');
    await assert.rejects(enrol(server, banned.identity), /banned/);
    await reconnect(honest);
    await reconnect(hostile);
  });

  test('who has joined again under another key, and whom the signers remove, is cut at once and stays out', async () => {
    const first = await makeAgent(server, 'again');
    await first.connect({ credits: 1 });
    await first.next('welcome');
    const second = newSigner();
    const admission = {
      format: 1 as const,
      cluster: server.sets.cluster,
      identity: second.key,
      name: 'again',
      machine: { host: 'again', os: 'linux', arch: 'x64', machineId: null },
      how: {
        is: 'by_hand' as const,
        labels: [],
        queues: ['*'],
        set: setRef(server.sets.newest),
        by: { person: server.person.id, key: server.person.signer.key },
      },
      role: 'agent',
      supersedes: first.admission,
      time: Date.now(),
    };
    const half = seal(PAYLOAD_TYPES.admission, admission, [server.person.signer]);
    const envelope = addSignature(half, seal(PAYLOAD_TYPES.admission, admission, [second]));
    const admitted = await server.call('POST', '/api/v1/admissions', { body: { admission: envelope } });
    assert.equal(admitted.status, 201, admitted.bytes.toString());
    assert.equal((await first.next('close', 2_000)).code, 'certificate.banned');
    await first.closed;
    await assert.rejects(reachRoute(server, first.own));
    const own = await enrol(server, second);
    assert.equal(await reachRoute(server, own), 200);

    const removed = await makeAgent(server, 'removed');
    await removed.connect({ credits: 1 });
    await removed.next('welcome');
    const { nonce: _nonce, ...before } = server.sets.newest.set as typeof server.sets.newest.set & {
      nonce?: string;
    };
    const next = {
      ...before,
      cluster: server.sets.cluster,
      version: 2,
      previous: server.sets.newest.digest,
      time: Date.now(),
      agentsRemoved: [{ identity: removed.identity.key, is: 'retired' as const, since: Date.now() }],
    };
    const set = seal(PAYLOAD_TYPES.signerSet, next, [server.person.signer]).envelope;
    const changed = await server.call('POST', '/api/v1/sets', { body: { sets: [set] } });
    assert.equal(changed.status, 200, changed.bytes.toString());
    assert.equal((await removed.next('close', 2_000)).code, 'certificate.banned');
    await assert.rejects(reachRoute(server, removed.own));
    await assert.rejects(enrol(server, removed.identity), /banned/);
  });

  test('renewal: the same key again is the same leaf; another key after the same predecessor stops both machines', async () => {
    const identity = await admitted(server, 'cloned');
    const pair = generateP256();
    const first = await enrol(server, identity);
    const second = await enrol(server, identity, first.serial, pair);
    assert.deepEqual(
      (await enrol(server, identity, first.serial, pair)).reply,
      second.reply,
      'a lost answer',
    );
    await assert.rejects(enrol(server, identity, 'ab'.repeat(16)), /another certificate/);
    assert.equal(await reachRoute(server, second), 200, 'an unknown predecessor is no alarm');
    await assert.rejects(enrol(server, identity, first.serial), /same state/);
    await assert.rejects(reachRoute(server, second));
  });
});

describe('an agent that floods or stalls', { timeout: 120_000 }, () => {
  let server: TestServer;
  let hostile: TestAgent;
  before(async () => {
    server = await startTestServer();
    hostile = await makeAgent(server, 'hostile', { description: { slots: 1024 } });
  });
  after(async () => {
    await server.close();
  });
  const connect = async (credits: number): Promise<void> => {
    await hostile.connect({ credits });
    await hostile.next('welcome');
  };
  /** Sends until nothing goes any more. @returns how often it went. */
  const pour = async (text: string, most: number): Promise<number> => {
    for (let times = 0; times < most; times += 1) {
      const gone = new Promise<true>((resolve) => hostile.stream.write(text, () => resolve(true)));
      if (!(await Promise.race([gone, sleep(1_500, false)]))) return times;
    }
    return most;
  };

  test('who does not read the answers is not heard any further, and holds no more than a bounded part of them', async () => {
    await connect(0);
    hostile.stream.pause();
    const token = { epoch: 1, n: 1 };
    const tasks = Array.from({ length: 2_000 }, (_, index) => ({
      job: 'a'.repeat(26),
      index,
      attempt: 1,
      token,
    }));
    const text = `${JSON.stringify({ is: 'renew', tasks })}\n`;
    const taken = (await pour(text, Math.ceil((64 * 1024 * 1024) / text.length))) * text.length;
    assert.ok(taken < 24 * 1024 * 1024, `${taken} bytes were read`);
    // Who reads again is heard again.
    hostile.stream.resume();
    assert.equal(await pour(text, 1), 1);
    await hostile.close();
  });

  test('messages that come faster than they are dealt with wait at their sender', async () => {
    const { envelope } = makeSignedOrder(server.sets, server.person);
    await server.call('POST', '/api/v1/jobs', { body: { order: envelope } });
    await connect(1);
    const said = inline('x'.repeat(30_000));
    const receipt = {
      envelope: hostile.receipt(await hostile.lease(), { stdout: said.log }),
      stdout: said.base64,
      stderr: null,
    };
    const text = `${JSON.stringify({ is: 'receipts', receipts: [receipt, receipt] })}\n`;
    let answered = 0;
    hostile.stream.on('data', (chunk: Buffer) => {
      answered += chunk.toString().split('"is":"accepted"').length - 1;
    });
    let most = 0;
    const all = Math.ceil((32 * 1024 * 1024) / text.length);
    for (let sent = 1; sent <= all; sent += 1) {
      if (!(await pour(text, 1))) break;
      most = Math.max(most, (sent - answered) * text.length);
    }
    await hostile.close();
    assert.ok(most < 16 * 1024 * 1024, `${most} bytes were on their way`);
  });

  test('credits add up to no more than an agent can have: it does not get all of a big job', async () => {
    const greedy = await makeAgent(server, 'greedy', { description: { slots: 1024 } });
    const array = { is: 'range' as const, from: 0, to: 11_999 };
    const { order, envelope } = makeSignedOrder(server.sets, server.person, { array });
    await server.call('POST', '/api/v1/jobs', { body: { order: envelope } });
    await greedy.connect({ credits: 4096 });
    await greedy.next('welcome');
    for (let at = 0; at < 8; at += 1) greedy.send({ is: 'credits', more: 4096 });
    const leased = async (): Promise<number> =>
      (await server.call('GET', `/api/v1/jobs/${order.job}`)).body.counts.leased;
    let count = 0;
    for (let before = -1; count === 0 || before !== count; await sleep(500)) {
      before = count;
      count = await leased();
    }
    assert.ok(count >= BOUNDS.credits && count <= BOUNDS.heldTasks, `${count} were leased`);
    await greedy.close();
    await server.call('POST', `/api/v1/jobs/${order.job}/cancel`, {
      body: { indexes: null, how: 'kill', withdrawal: null },
    });
  });

  test('an agent gets every withdrawal when it connects, however many there are, and then its work', async () => {
    await server.close();
    server = await startTestServer();
    hostile = await makeAgent(server, 'hostile', { description: { slots: 1 } });
    const { order, envelope } = makeSignedOrder(server.sets, server.person);
    await server.call('POST', '/api/v1/jobs', { body: { order: envelope } });
    const wish = { cluster: server.sets.cluster, person: server.person.id, now: Date.now() };
    const indexes = Array.from({ length: 10_000 }, (_, at) => 980_000 + at);
    const large = makeWithdrawal(
      { ...wish, order: digestOf('an order'), indexes },
      server.person.signer,
    ).envelope;
    // Together more than a link holds for who does not read.
    const database = new DatabaseSync(join(server.state, 'server', 'writ.db'), { timeout: 10_000 });
    database.exec('begin');
    const insert = database.prepare(
      'insert into withdrawal (digest, order_digest, until, added, envelope) values (?, ?, ?, ?, ?)',
    );
    for (let at = 0; at < 400; at += 1)
      insert.run(
        digestOf(`${at}`),
        digestOf('an order'),
        Date.now() + 3_600_000,
        Date.now(),
        JSON.stringify(large),
      );
    database.exec('commit');
    database.close();
    await connect(1);
    assert.equal((await hostile.lease(60_000)).job, order.job);
    assert.equal(hostile.received.filter(({ is }) => is === 'withdraw').length, 400);
  });

  test('a withdrawal that names other tasks than those that are cancelled is refused', async () => {
    const made = makeSignedOrder(server.sets, server.person, { array: { is: 'range', from: 0, to: 9 } });
    await server.call('POST', '/api/v1/jobs', { body: { order: made.envelope } });
    const cancel = async (said: number[] | null, indexes: number[] | null) => {
      const person = server.person.id;
      const wish = {
        cluster: server.sets.cluster,
        order: made.digest,
        indexes: said,
        person,
        now: Date.now(),
      };
      const withdrawal = makeWithdrawal(wish, server.person.signer).envelope;
      return await server.call('POST', `/api/v1/jobs/${made.order.job}/cancel`, {
        body: { indexes, how: 'kill', withdrawal },
      });
    };
    for (const [said, indexes] of [
      [[1, 2, 3], [1]],
      [null, [1]],
      [[1], null],
    ] as const) {
      const answer = await cancel(said && [...said], indexes && [...indexes]);
      assert.equal(answer.status, 400, JSON.stringify([said, indexes]));
      assert.equal(answer.body.errors[0].detail, 'withdrawal.indexes_other');
    }
    assert.equal((await cancel([2, 1], [1, 2])).status, 200);
    assert.equal((await cancel(null, null)).status, 200);
  });

  test('an agent has one stream on a connection, and four connections', async () => {
    await connect(0);
    const second = await hostile.request('POST', LINK_ROUTES.stream, new Uint8Array());
    assert.equal(second.status, 409);
    assert.equal(hostile.session.remoteSettings.maxConcurrentStreams, 128);
    const sockets: TLSSocket[] = [];
    for (let at = 0; at < 5; at += 1) {
      const socket = await connectLink(server, hostile.own);
      socket.on('error', () => {});
      sockets.push(socket);
      connectHttp2('https://writ', { createConnection: () => socket }).on('error', () => {});
      await sleep(50);
    }
    await sleep(200);
    assert.equal(hostile.session.destroyed, true);
    assert.deepEqual(
      sockets.map((socket) => socket.destroyed),
      [true, false, false, false, false],
    );
    for (const socket of sockets) socket.destroy();
  });

  test('who does not read its work is sent little of it, and is cut though it keeps its side open', async () => {
    await server.close();
    server = await startTestServer({ silenceSeconds: 2 });
    hostile = await makeAgent(server, 'hostile', { description: { slots: 1024 } });
    const argv = ['true', ...Array.from({ length: 24 }, () => 'x'.repeat(8_000))];
    const command = { argv, variables: [], inputs: { is: 'list' as const, files: [] }, secrets: [] };
    const variants = [{ platform: { os: null, arch: null }, command }];
    for (let at = 0; at < 100; at += 1) {
      const { envelope } = makeSignedOrder(server.sets, server.person, { runs: { is: 'command', variants } });
      const answer = await server.call('POST', '/api/v1/jobs', { body: { order: envelope } });
      assert.equal(answer.status, 201, answer.bytes.toString());
    }
    await connect(0);
    hostile.stream.pause();
    hostile.send({ is: 'credits', more: 4096 });
    // Whatever did not go into the line comes back to the queue.
    let sent = 0;
    for (let times = 0; times < 100 && !(sent > 0 && sent < 30); times += 1) {
      await sleep(100);
      const { body } = await server.call('GET', '/api/v1/jobs?state=leased&limit=200');
      sent = body.items.length;
    }
    assert.ok(sent > 0 && sent < 30, `${sent} were sent`);
    assert.equal(
      await Promise.race([hostile.closed.then(() => 'cut'), sleep(15_000, 'still here', { ref: false })]),
      'cut',
    );
    const silentSocket = await connectLink(server, hostile.own);
    const silent = connectHttp2('https://writ', {
      createConnection: () => silentSocket,
    });
    const stream = silent.request({ ':method': 'POST', ':path': LINK_ROUTES.stream }, { endStream: false });
    const [said] = (await once(stream, 'data')) as [Buffer];
    assert.equal(JSON.parse(said.toString()).code, 'link.hello_missing');
    silent.destroy();
    await connect(4096);
    // It is heard, or its silence would cut it again while it reads 20 MB on a busy machine.
    const beat = setInterval(() => hostile.send({ is: 'pong', n: 0 }), 250);
    try {
      for (let at = 0; at < 100; at += 1) await hostile.lease(20_000);
    } finally {
      clearInterval(beat);
    }
  });
});

const outputOf = (bytes: Buffer, task: { job: string; index: number; attempt: number }): string =>
  `${LINK_ROUTES.file.replace(':digest', digestOf(bytes))}?job=${task.job}&index=${task.index}&attempt=${task.attempt}`;

async function admitted(server: TestServer, name: string) {
  const identity = newSigner();
  await server.admit(name, identity);
  return identity;
}

async function reachRoute(
  server: TestServer,
  own: ReturnType<typeof certificateOf> | TestAgent['own'],
): Promise<number> {
  const socket = await connectLink(server, own);
  const session = connectHttp2('https://writ', { createConnection: () => socket });
  try {
    return await new Promise<number>((resolve, reject) => {
      session.on('error', reject);
      session.on('close', () => reject(new Error('the connection was cut')));
      const stream = session.request({ ':path': `${LINK_ROUTES.sets}?after=0` });
      stream.on('response', (headers) => resolve(headers[':status'] ?? 0));
      stream.on('error', reject);
    });
  } finally {
    session.destroy();
  }
}

async function upload(server: TestServer, bytes: Buffer): Promise<void> {
  const answer = await server.call('PATCH', `/api/v1/uploads/${digestOf(bytes)}`, {
    bytes,
    headers: {
      'upload-offset': '0',
      'upload-length': String(bytes.length),
      'content-digest': `sha-256=:${Buffer.from(digestOf(bytes).slice(7), 'hex').toString('base64')}:`,
    },
  });
  assert.equal(answer.status, 204, answer.bytes.toString());
}

const onDisk = (server: TestServer, digest: string): string =>
  join(server.state, 'server', 'files', digest.slice(7, 9), digest.slice(9));
