import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { LeasedTask, Order } from '@writ/contract';
import { makeFirstSet, startSets } from '@writ/trust';
import { listenForLinks } from '@writ/trust/certificates';
import { callApi } from '../testkit/src/call-api.ts';
import { makeSignedOrder, randomId } from '../testkit/src/make-order.ts';
import { newSigner, startTestServer, type TestServer } from '../testkit/src/start-test-server.ts';
import { type HeldLease, inline, makeAgent, type TestAgent } from '../testkit/src/test-agent.ts';

const plain = ({ job, index, attempt, token }: HeldLease): LeasedTask => ({ job, index, attempt, token });

describe('leases', { timeout: 120_000 }, () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer({ leaseSeconds: 1 });
  });
  after(async () => {
    await server.close();
  });

  const submit = async (changes: Partial<Order> = {}) => {
    const made = makeSignedOrder(server.sets, server.person, changes);
    const answer = await server.call('POST', '/api/v1/jobs', { body: { order: made.envelope } });
    assert.equal(answer.status, 201, answer.bytes.toString());
    return made;
  };
  const jobOf = async (job: string) => (await server.call('GET', `/api/v1/jobs/${job}`)).body;
  const connected = async (name: string, description = {}, credits = 2): Promise<TestAgent> => {
    const agent = await makeAgent(server, name, { description });
    await agent.connect({ credits });
    await agent.next('welcome');
    return agent;
  };
  const finish = async (agent: TestAgent, lease: HeldLease) => {
    agent.send(
      { is: 'receipts', receipts: [{ envelope: agent.receipt(lease), stdout: null, stderr: null }] },
      { is: 'credits', more: 1 },
    );
    return await agent.next('accepted');
  };

  test('a lease that nobody renews goes to another agent; the late result is stored and refused as stale', async () => {
    const slow = await connected('slow');
    const { order } = await submit();
    const lost = await slow.lease();
    const quick = await connected('quick');
    assert.deepEqual((await slow.next('renewed')).lost, [plain(lost)]);
    const lease = await quick.lease();
    assert.equal(lease.attempt, 2);
    assert.ok(lease.token.n > lost.token.n, 'tokens rise');
    assert.equal((await finish(slow, lost)).refused[0]?.code, 'lease.stale');
    assert.equal((await jobOf(order.job)).state, 'leased');
    assert.deepEqual((await finish(quick, lease)).refused, []);
    assert.equal((await jobOf(order.job)).state, 'succeeded');
    const { body } = await server.call('GET', `/api/v1/jobs/${order.job}/receipts`);
    assert.deepEqual(
      body.items
        .map((item: { attempt: number; isAccepted: boolean }) => [item.attempt, item.isAccepted])
        .toSorted(),
      [
        [1, false],
        [2, true],
      ],
    );
    await slow.close();
    await quick.close();
  });

  test('a late word about an attempt before leaves the present one of the same agent alone', async () => {
    const agent = await connected('again', {}, 1);
    const { order } = await submit({
      machine: { facts: [], labels: [], agents: [agent.identity.key], excluded: [], notAdmitted: [] },
    });
    const first = await agent.lease();
    while ((await agent.next('renewed', 20_000)).lost[0]?.job !== order.job);
    agent.send({ is: 'credits', more: 1 });
    const second = await agent.lease(20_000);
    assert.equal(second.attempt, first.attempt + 1);
    const renewing = setInterval(() => agent.send({ is: 'renew', tasks: [plain(second)] }), 200).unref();
    agent.send({
      is: 'receipts',
      receipts: [{ envelope: agent.receipt(first), stdout: null, stderr: null }],
    });
    assert.equal((await agent.next('accepted')).refused[0]?.code, 'lease.stale');
    agent.send({ is: 'returned', tasks: [plain(first)] });
    const path = `/link/v1/logs/${order.job}/0/${second.attempt}/stdout?offset=0`;
    assert.equal((await agent.request('POST', path, Buffer.from('hello'))).status, 200);
    agent.send({
      is: 'receipts',
      receipts: [
        { envelope: agent.receipt(second, { stdout: inline('hello').log }), stdout: null, stderr: null },
      ],
    });
    assert.deepEqual((await agent.next('accepted')).refused, []);
    clearInterval(renewing);
    assert.equal((await jobOf(order.job)).state, 'succeeded');
    await agent.close();
  });

  test('a renewed lease is kept beyond its first length, and its task is nobody else’s', async () => {
    const keeper = await connected('keeper');
    await submit();
    const lease = await keeper.lease();
    const rival = await connected('rival');
    for (let n = 0; n < 8; n += 1) {
      await sleep(250);
      keeper.send({ is: 'renew', tasks: [plain(lease)] });
      assert.deepEqual((await keeper.next('renewed')).tasks, [plain(lease)]);
    }
    assert.equal(
      rival.received.some((message) => message.is === 'lease'),
      false,
    );
    assert.deepEqual((await finish(keeper, lease)).refused, []);
    await keeper.close();
    await rival.close();
  });

  test('the fastest free agent comes first, and an agent that the order does not admit never', async () => {
    const gpu = { labels: [{ name: 'gpu', value: '' }] };
    const plainFast = await makeAgent(server, 'fast-plain', { description: { megaflops: 9_000 } });
    const slowGpu = await makeAgent(server, 'slow-gpu', { description: { megaflops: 10 }, grants: gpu });
    const fastGpu = await makeAgent(server, 'fast-gpu', { description: { megaflops: 5_000 }, grants: gpu });
    // What an agent says about its own labels counts for nothing.
    const liar = await makeAgent(server, 'liar', {
      description: { megaflops: 99_000, labels: [{ name: 'gpu', value: '' }] },
    });
    for (const agent of [plainFast, slowGpu, fastGpu, liar]) {
      await agent.connect({ credits: 1 });
      await agent.next('welcome');
    }
    await sleep(100);
    const machine = {
      facts: [],
      labels: [{ name: 'gpu', value: null }],
      agents: [],
      excluded: [],
      notAdmitted: [],
    };
    const { order } = await submit({ machine });
    const lease = await fastGpu.lease();
    assert.equal(lease.job, order.job);
    await finish(fastGpu, lease);
    for (const agent of [plainFast, slowGpu, liar])
      assert.equal(
        agent.received.some((message) => message.is === 'lease'),
        false,
        agent.name,
      );
    for (const agent of [plainFast, slowGpu, fastGpu, liar]) await agent.close();
  });

  test('why a job waits is said, and a new agent gets it in a moment', async () => {
    const { order } = await submit({
      machine: {
        facts: [{ fact: 'os', is: 'plan9' }],
        labels: [],
        agents: [],
        excluded: [],
        notAdmitted: [],
      },
    });
    assert.equal((await jobOf(order.job)).waitsFor, 'no_agent');
    const later = await submit({ notBefore: Date.now() + 3_600_000 });
    assert.equal((await jobOf(later.order.job)).waitsFor, 'not_before');
    const plan9 = await connected('plan9', { os: 'plan9' });
    assert.equal((await plan9.lease()).job, order.job);
    await plan9.close();
    await server.call('POST', `/api/v1/jobs/${order.job}/cancel`, {
      body: { indexes: null, how: 'kill', withdrawal: null },
    });
  });

  test('a task that an agent refused for a reason of its own goes to another one, and not to it again', async () => {
    const picky = await connected('picky', { megaflops: 9_000 }, 8);
    const { order } = await submit();
    const first = await picky.lease();
    const refusal = picky.receipt(first, {
      kind: 'refused',
      because: 'owner.refuses',
      exit: null,
      variant: null,
      profile: null,
      started: null,
    });
    picky.send(
      { is: 'receipts', receipts: [{ envelope: refusal, stdout: null, stderr: null }] },
      { is: 'credits', more: 1 },
    );
    assert.deepEqual((await picky.next('accepted')).refused, []);
    assert.equal((await jobOf(order.job)).state, 'waiting');
    const willing = await connected('willing', { megaflops: 1 });
    const second = await willing.lease();
    assert.equal(second.job, order.job);
    assert.equal(
      picky.received.some((message) => message.is === 'lease'),
      false,
    );
    await finish(willing, second);
    await picky.close();
    await willing.close();
  });

  test('a task that an agent could not isolate is not tried again there at once, so that another one may have it', async () => {
    const broken = await connected('broken', { megaflops: 9_000 }, 1);
    const { order } = await submit();
    const first = await broken.lease();
    const { order: behind } = await submit();
    const failure = broken.receipt(first, { because: 'sandbox', exit: null, started: null });
    broken.send(
      { is: 'receipts', receipts: [{ envelope: failure, stdout: null, stderr: null }] },
      { is: 'credits', more: 1 },
    );
    assert.deepEqual((await broken.next('accepted')).refused, []);
    const next = await broken.lease();
    assert.equal(next.job, behind.job, 'other work goes on there');
    assert.equal((await jobOf(order.job)).state, 'waiting');
    await finish(broken, next);
    const whole = await connected('whole', { megaflops: 1 });
    const second = await whole.lease();
    assert.deepEqual([second.job, second.attempt], [order.job, 2]);
    assert.equal(
      broken.received.some((message) => message.is === 'lease'),
      false,
    );
    await finish(whole, second);
    await broken.close();
    await whole.close();
  });

  test('unstarted work is called back when another agent has nothing, and costs no attempt', async () => {
    const full = await connected('full', { slots: 1, megaflops: 9_000 }, 4);
    const { order } = await submit({ array: { is: 'range', from: 0, to: 3 } });
    const leases: HeldLease[] = [];
    while (leases.length < 4) leases.push(await full.lease());
    full.send({ is: 'started', tasks: [plain(leases[0]!)] });
    const idle = await connected('idle', { slots: 2, megaflops: 1 });
    const { tasks } = await full.next('recall');
    assert.ok(
      tasks.length >= 1 && !tasks.some((task) => task.index === leases[0]!.index),
      'what has started is not called back',
    );
    full.send({ is: 'returned', tasks });
    const moved = await idle.lease();
    assert.ok(tasks.some((task) => task.index === moved.index));
    assert.equal(moved.attempt, 1);
    assert.deepEqual((await finish(idle, moved)).refused, []);
    await full.close();
    await idle.close();
    await server.call('POST', `/api/v1/jobs/${order.job}/cancel`, {
      body: { indexes: null, how: 'kill', withdrawal: null },
    });
  });

  test('a cancel reaches the agent, and the agent’s word ends the task', async () => {
    const agent = await connected('obedient');
    const { order } = await submit();
    const lease = await agent.lease();
    agent.send({ is: 'started', tasks: [plain(lease)] });
    await server.call('POST', `/api/v1/jobs/${order.job}/cancel`, {
      body: { indexes: null, how: 'terminate', withdrawal: null },
    });
    assert.deepEqual(await agent.next('cancel'), { is: 'cancel', tasks: [plain(lease)], how: 'terminate' });
    agent.send({
      is: 'receipts',
      receipts: [
        {
          envelope: agent.receipt(lease, { because: 'cancelled', exit: { signal: 'SIGTERM' } }),
          stdout: null,
          stderr: null,
        },
      ],
    });
    await agent.next('accepted');
    assert.equal((await jobOf(order.job)).state, 'cancelled');
    await agent.close();
  });

  test('an agent that stopped a task because its lease was over has lost it, and the task is tried again', async () => {
    const late = await connected('late', { megaflops: 99_000 });
    const { order } = await submit();
    const lease = await late.lease();
    late.send({
      is: 'receipts',
      receipts: [
        {
          envelope: late.receipt(lease, { because: 'lost', exit: { signal: 'SIGKILL' } }),
          stdout: null,
          stderr: null,
        },
      ],
    });
    assert.deepEqual((await late.next('accepted')).refused, []);
    const again = await late.lease();
    assert.deepEqual([again.job, again.attempt], [order.job, 2]);
    await finish(late, again);
    await late.close();
  });

  test('after a restart the agent says what it holds, gets its full length, and its result counts', async () => {
    const agent = await connected('patient', { megaflops: 99_000 });
    const { order } = await submit();
    const lease = await agent.lease();
    await server.restart();
    await agent.closed;
    await agent.connect({ held: [{ ...plain(lease), is: 'running' }] });
    assert.deepEqual((await agent.next('renewed')).tasks, [plain(lease)]);
    assert.deepEqual((await finish(agent, lease)).refused, []);
    assert.equal((await jobOf(order.job)).state, 'succeeded');
    // The answer to a receipt may have been lost: the same receipt again is the same answer.
    agent.seq -= 1;
    const again = await server.call('GET', `/api/v1/jobs/${order.job}/receipts`);
    agent.send({
      is: 'receipts',
      receipts: [{ envelope: again.body.items[0].envelope, stdout: null, stderr: null }],
    });
    assert.deepEqual((await agent.next('accepted')).refused, []);
    agent.seq += 1;
    await agent.close();
  });

  test('after a restart unstarted work is called back from who still holds it', async () => {
    const patient = { leaseSeconds: 60 };
    await server.restart(patient);
    const full = await connected('full-again', { slots: 1, megaflops: 99_000 }, 3);
    const { order } = await submit({ array: { is: 'range', from: 0, to: 2 } });
    const leases: HeldLease[] = [];
    while (leases.length < 3) leases.push(await full.lease());
    full.send({ is: 'started', tasks: [plain(leases[0]!)] });
    await server.restart(patient);
    await full.closed;
    const held = leases.map((lease, at) => ({
      ...plain(lease),
      is: at === 0 ? ('running' as const) : ('leased' as const),
    }));
    await full.connect({ credits: 0, held });
    await full.next('welcome');
    const idle = await connected('idle-again', { slots: 2, megaflops: 1 });
    const { tasks } = await full.next('recall');
    assert.deepEqual(new Set(tasks.map((task) => task.index)), new Set([1, 2]));
    full.send({ is: 'returned', tasks });
    assert.equal((await idle.lease()).job, order.job);
    await full.close();
    await idle.close();
    await server.call('POST', `/api/v1/jobs/${order.job}/cancel`, {
      body: { indexes: null, how: 'kill', withdrawal: null },
    });
    await server.restart();
  });

  test('a server that dials an agent’s listener serves the same link on that connection', async () => {
    const agent = await makeAgent(server, 'listening');
    const roots = server.sets.newest.set.authorities.map((root) => Buffer.from(root, 'base64'));
    const issuing = [
      Buffer.from(
        JSON.parse(await readFile(join(server.state, 'server', 'tls.json'), 'utf8')).issuing,
        'base64',
      ),
    ];
    const links: string[] = [];
    const listener = listenForLinks({
      own: agent.own,
      expect: () => ({
        cluster: server.sets.cluster,
        roles: ['server'],
        now: Date.now(),
        roots,
        issuing,
        mayActNow: () => true,
      }),
      onLink: (socket, identity) => {
        const session = connectHttp2('https://writ', { createConnection: () => socket });
        session.on('error', () => {});
        const stream = session.request({ ':path': '/link/v1/sets?after=0' });
        stream.on('response', (headers) =>
          links.push(`${identity.role} ${identity.name} ${headers[':status']}`),
        );
        stream.resume();
      },
      onRefused: (error) => links.push(error.code),
    });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    await assert.rejects(
      server.running.dialAgent({ host: '127.0.0.1', port, name: 'somebody-else' }),
      /listening|name/,
    );
    await server.running.dialAgent({ host: '127.0.0.1', port, name: 'listening' });
    for (let n = 0; n < 100 && !links.includes('server test-server 200'); n += 1) await sleep(20);
    assert.ok(links.includes('server test-server 200'), links.join());
    listener.close();
  });

  test('it stops at once with sessions, streams and event streams open', async () => {
    const agent = await connected('open');
    const { order } = await submit({
      machine: { facts: [{ fact: 'os', is: 'none' }], labels: [], agents: [], excluded: [], notAdmitted: [] },
    });
    const token = await server.makeToken('member');
    const following = server.callWith(token, 'GET', `/api/v1/jobs/${order.job}/events`).catch(() => 'cut');
    await sleep(200);
    const began = performance.now();
    await server.restart();
    assert.ok(performance.now() - began < 5_000);
    assert.equal(await following, 'cut');
    await agent.closed;
  });
});

describe('a server that is killed', { timeout: 120_000 }, () => {
  test('kill -9 between the answer and the end: the job is there, and ends', async () => {
    const state = await mkdtemp(join(tmpdir(), 'writ-killed-'));
    const person = { id: randomId(), signer: newSigner() };
    const socket = join(state, 'server', 'admin.sock');
    const boot = async () => {
      const main = fileURLToPath(new URL('../apps/server/src/main.ts', import.meta.url));
      const child = spawn(
        process.execPath,
        [
          main,
          '--state',
          state,
          '--host',
          '127.0.0.1',
          '--port',
          '0',
          '--agent-port',
          '0',
          '--name',
          'killed',
        ],
        { stdio: ['ignore', 'ignore', 'pipe'] },
      );
      let text = '';
      await new Promise<void>((resolve, reject) => {
        child.stderr.on('data', (chunk: Buffer) => {
          text += chunk.toString();
          if (text.includes('"server.started"')) resolve();
        });
        child.once('exit', () => reject(new Error(text)));
      });
      return child;
    };
    let child = await boot();
    try {
      const { body: before } = await callApi({ socket }, 'GET', '/api/v1/cluster');
      const first = makeFirstSet(
        {
          nonce: randomId(),
          now: Date.now(),
          person: { id: person.id, name: 'ana', keyName: 'laptop' },
          authorities: [before.authority],
        },
        person.signer,
      );
      assert.equal(
        (await callApi({ socket }, 'POST', '/api/v1/setup', { body: { set: first.envelope } })).status,
        200,
      );
      const sets = startSets(first.envelope);
      const jobs: string[] = [];
      for (let n = 0; n < 3; n += 1) {
        const { order, envelope } = makeSignedOrder(sets, person);
        const answer = await callApi({ socket }, 'POST', '/api/v1/jobs', { body: { order: envelope } });
        assert.equal(answer.status, 201);
        jobs.push(order.job);
        child.kill('SIGKILL');
        await once(child, 'exit');
        child = await boot();
        const again = await callApi({ socket }, 'POST', '/api/v1/jobs', { body: { order: envelope } });
        assert.equal(again.status, 200, 'the same order again is the same job');
      }
      const { body } = await callApi({ socket }, 'GET', '/api/v1/jobs');
      assert.deepEqual(
        body.items.map((job: { id: string }) => job.id),
        jobs.toReversed(),
      );
      child.kill('SIGTERM');
      const [code] = await once(child, 'exit');
      assert.equal(code, 0);
    } finally {
      child.kill('SIGKILL');
      await rm(state, { recursive: true, force: true });
    }
  });
});
