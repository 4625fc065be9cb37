import assert from 'node:assert/strict';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULTS, type JobView, orderCheck, TASK_STATES } from '@writ/contract';
import { buildOrder, type OrderedBy, type OrderWish } from './build-order.ts';
import { ClientError } from './client-error.ts';
import { connect } from './connect.ts';
import { exitCodeOf } from './exit-code.ts';
import { followJob } from './follow-job.ts';
import { readEvents } from './read-events.ts';
import { submitJob } from './submit-job.ts';

const digest = `sha256:${'0'.repeat(64)}`;
const by: OrderedBy = {
  cluster: `${'a'.repeat(51)}q`,
  set: { version: 1, digest },
  person: 'aaaaaaaaaaaaaaaaaaaaaaaaae',
  key: `ed25519:${'A'.repeat(43)}`,
  job: 'aaaaaaaaaaaaaaaaaaaaaaaaai',
  now: 1_800_000_000_000,
};

describe('an order', () => {
  test("takes the program's defaults for what nobody said", () => {
    const order = buildOrder({ argv: ['true'] }, by);
    assert.ok(orderCheck.is(order));
    assert.equal(order.maxAttempts, DEFAULTS.maxAttempts);
    assert.equal(order.profile, 'user');
    assert.equal(order.network, false);
    assert.equal(order.limits.memoryBytes, DEFAULTS.memoryBytes);
    assert.equal(order.notAfter - order.issued, DEFAULTS.submitNotAfterSeconds * 1000);
  });

  test('lets as much be written as is to be brought back, unless somebody said otherwise', () => {
    const limitsOf = (wish: Pick<OrderWish, 'outputBytes' | 'diskBytes'>) => {
      const { outputBytes, diskBytes } = buildOrder({ argv: ['true'], ...wish }, by).limits;
      return [outputBytes, diskBytes];
    };
    const GIB = 2 ** 30;
    assert.deepEqual(limitsOf({}), [DEFAULTS.outputBytes, DEFAULTS.diskBytes]);
    assert.deepEqual(limitsOf({ outputBytes: 1000 }), [1000, DEFAULTS.diskBytes]);
    assert.deepEqual(limitsOf({ outputBytes: 16 * GIB }), [16 * GIB, 18 * GIB]);
    assert.deepEqual(limitsOf({ outputBytes: 16 * GIB, diskBytes: GIB }), [16 * GIB, GIB]);
  });

  test('that no agent would take is refused with its fields', () => {
    const cases = [
      { argv: [] },
      { argv: ['true'], array: { is: 'range', from: 2, to: 1 } },
      { argv: ['true'], array: { is: 'range', from: 0, to: 1_000_000 } },
      { argv: ['true'], notAfterSeconds: 32 * 86_400 },
      {
        argv: ['true'],
        variables: [
          { name: 'A', value: '1' },
          { name: 'A', value: '2' },
        ],
      },
      { argv: ['true'], variables: [{ name: 'WRIT_JOB', value: 'x' }] },
      { argv: ['true'], outputs: ['../x'] },
      { argv: ['true'], outputs: ['+(+(a)|a)b'] },
      { argv: ['true'], inputs: { is: 'manifest', digest, size: 1000, files: 1025, bytes: 0 } },
      { argv: ['true'], inputs: { is: 'manifest', digest, size: 655_361, files: 300, bytes: 0 } },
      { argv: ['a\0b'] },
      { argv: ['x'.repeat(100_000), 'x'.repeat(100_000), 'x'.repeat(100_000)] },
    ] as const;
    for (const wish of cases) {
      assert.throws(
        () => buildOrder(wish, by),
        (error: unknown) => {
          assert.ok(
            error instanceof ClientError && error.code === 'order.invalid' && error.errors.length > 0,
            JSON.stringify(wish).slice(0, 80),
          );
          return true;
        },
      );
    }
  });
});

test("an exit code is the job's own, 128 + n, 124 for time, and 125 for everything else", () => {
  const ended = { kind: 'ended', because: 'exit' } as const;
  assert.equal(exitCodeOf({ ...ended, exit: { code: 3 } }), 3);
  assert.equal(exitCodeOf({ ...ended, exit: { code: 0 } }), 0);
  assert.equal(exitCodeOf({ ...ended, exit: { code: 256 } }), 125);
  assert.equal(exitCodeOf({ kind: 'ended', because: 'signal', exit: { signal: 'SIGKILL' } }), 137);
  assert.equal(exitCodeOf({ kind: 'ended', because: 'time_limit', exit: { signal: 'SIGTERM' } }), 124);
  assert.equal(exitCodeOf({ kind: 'ended', because: 'output_missing', exit: { code: 0 } }), 125);
  assert.equal(exitCodeOf({ kind: 'refused', because: 'order.expired', exit: { code: 0 } }), 125);
  assert.equal(exitCodeOf({ kind: 'ended', because: 'sandbox', exit: null }), 125);
});

test('events are read however the bytes are cut', async () => {
  const text = ': hello\nid: 7\ndata: {"a":1}\n\ndata: one\r\ndata: two\r\n\r\ndata: ü\n\ndata: lost';
  const bytes = new TextEncoder().encode(text);
  for (const size of [1, 2, 3, 7, 1000]) {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
        controller.close();
      },
    });
    const seen: string[] = [];
    for await (const { id, data } of readEvents(body)) seen.push(`${id}:${data}`);
    assert.deepEqual(seen, ['7:{"a":1}', '7:one\ntwo', '7:ü'], `pieces of ${size}`);
  }
});

describe('against a server', () => {
  const counts = Object.fromEntries(TASK_STATES.map((state) => [state, 0])) as JobView['counts'];
  const when = '2026-01-01T00:00:00.000Z';
  const view = (changes: Partial<JobView>): JobView => ({
    id: by.job,
    digest,
    state: 'running',
    because: null,
    waitsFor: null,
    submittedBy: 'ana',
    person: by.person,
    queue: 'default',
    priority: 0,
    isHeld: false,
    project: 'default',
    command: ['true'],
    tasks: 1,
    firstIndex: 0,
    counts,
    submitted: when,
    started: when,
    ended: null,
    notAfter: when,
    ...changes,
  });
  const listen = async (
    answer: (path: string, last: string | undefined, response: ServerResponse) => void,
  ): Promise<{ server: Server; url: string }> => {
    const server = createServer((asked, response) =>
      answer(asked.url ?? '', asked.headers['last-event-id'] as string | undefined, response),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  };
  const wait = async (): Promise<void> => {
    await sleep(5);
  };

  test('following goes on after the last event seen, through cut connections, restarts and a database that is away', async () => {
    const asked: (string | undefined)[] = [];
    const { server, url } = await listen((_path, last, response) => {
      asked.push(last);
      if (asked.length === 2) {
        response.writeHead(503, { 'content-type': 'application/problem+json' });
        response.end(
          JSON.stringify({
            type: 'x',
            title: 'x',
            status: 503,
            code: 'server.unavailable',
            detail: '',
            requestId: 'r',
          }),
        );
        return;
      }
      const ended = asked.length === 3;
      response.write(
        `id: ${asked.length}\ndata: ${JSON.stringify({ is: 'job', job: view(ended ? { state: 'succeeded', ended: when } : {}) })}\n\n`,
      );
      if (!ended) setTimeout(() => response.destroy(), 20);
    });
    const seen: string[] = [];
    const told: string[] = [];
    for await (const { event } of followJob(connect({ url, fetch }), by.job, {
      signal: new AbortController().signal,
      wait,
      onConnection: (is) => told.push(is),
    })) {
      if (event.is === 'job') seen.push(event.job.state);
    }
    server.close();
    assert.deepEqual(seen, ['running', 'succeeded']);
    assert.deepEqual(asked, [undefined, '1', '1']);
    assert.deepEqual(told, ['lost', 'back']);
  });

  test('an event that is not JSON, or does not end, is an answer that is not understood, and is not asked for again', async () => {
    for (const text of ['data: {"is":"job",\n\n', `data: "${'x'.repeat(9 * 1024 * 1024)}`]) {
      let asked = 0;
      const server = createServer((_incoming, response) => {
        asked += 1;
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(text);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const following = { signal: AbortSignal.timeout(20_000), wait };
      await assert.rejects(
        async () => {
          for await (const { event } of followJob(connect({ url, fetch }), by.job, following))
            assert.fail(`told of ${event.is}`);
        },
        (error) => error instanceof ClientError && error.code === 'answer.malformed',
      );
      assert.equal(asked, 1);
      server.closeAllConnections();
      server.close();
    }
  });

  test('many lines of one event are bounded as one line is', async () => {
    const line = new TextEncoder().encode(`data: ${'x'.repeat(1024 * 1024)}\n`);
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: (to) => {
        if ((sent += 1) > 100) to.close();
        else to.enqueue(line);
      },
    });
    await assert.rejects(
      async () => {
        for await (const event of readEvents(body)) assert.fail(`an event of ${event.data.length}`);
      },
      { code: 'answer.malformed' },
    );
    assert.ok(sent < 12, `${sent} MiB were read`);
  });

  test('a submission whose answer was lost, or whose server does not reach its database, is sent again, byte for byte', async () => {
    const bodies: string[] = [];
    const server = createServer((incoming, response) => {
      let body = '';
      incoming.on('data', (text: Buffer) => (body += text.toString()));
      incoming.on('end', () => {
        bodies.push(`${String(incoming.headers['idempotency-key'])} ${body}`);
        if (bodies.length === 1) response.destroy();
        else if (bodies.length === 2)
          response.writeHead(503, { 'content-type': 'application/problem+json' }).end(
            JSON.stringify({
              type: 'x',
              title: 'x',
              status: 503,
              code: 'server.unavailable',
              detail: '',
              requestId: 'r',
            }),
          );
        else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(view({})));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const envelope = { payloadType: 'x', payload: 'eA==', signatures: [{ sig: 'eA==' }] };
    const answer = await submitJob(
      connect({ url, fetch }),
      { envelope, digest, job: by.job },
      { signal: new AbortController().signal, wait },
    );
    server.close();
    assert.equal(answer.id, by.job);
    assert.equal(bodies.length, 3);
    assert.equal(new Set(bodies).size, 1);
    assert.ok(bodies[0]?.startsWith(`${by.job} `));
  });

  test('a problem keeps its code, status, request id and fields; anything else is called malformed', async () => {
    const { server, url } = await listen((path, _last, response) => {
      if (path.includes('agents')) response.writeHead(500).end('<html>');
      else
        response.writeHead(422).end(
          JSON.stringify({
            type: 'x',
            title: 'x',
            status: 422,
            code: 'order.refused',
            detail: 'no',
            errors: [{ pointer: '/queue', detail: 'grant.queue' }],
            requestId: 'r7',
          }),
        );
    });
    const client = connect({ url, fetch });
    await assert.rejects(client.readJob('x'), (error: unknown) => {
      assert.ok(error instanceof ClientError);
      assert.deepEqual(
        [error.code, error.status, error.requestId, error.errors.length],
        ['order.refused', 422, 'r7', 1],
      );
      return true;
    });
    await assert.rejects(client.listAgents(), { code: 'answer.malformed', status: 500 });
    server.close();
    await assert.rejects(connect({ url, fetch }).readCluster(), { code: 'server.unreachable' });
  });
});
