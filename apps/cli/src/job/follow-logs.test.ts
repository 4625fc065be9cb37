import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type Client, connect } from '@writ/client';
import { digestOf } from '@writ/trust/digest';
import { followLogs } from './follow-logs.ts';
import { LogStream } from './log-stream.ts';

type Piece = string | Error;

/** Answers as a server does; what it was asked for is kept. */
function openServer(answer: (asked: URL, signal: AbortSignal | null) => AsyncIterable<Piece> | Response) {
  const asked: string[] = [];
  const client: Client = connect({
    url: 'http://writ',
    fetch: async (text, init) => {
      const url = new URL(text);
      asked.push(url.pathname.replace(/.*tasks\//, '') + url.search);
      const answered = answer(url, init?.signal ?? null);
      if (answered instanceof Response) return answered;
      const pieces = answered[Symbol.asyncIterator]();
      const body = new ReadableStream<Uint8Array>({
        async pull(to) {
          const { value, done } = await pieces.next();
          if (value instanceof Error) throw value;
          if (done === true) to.close();
          else to.enqueue(new TextEncoder().encode(value));
        },
      });
      const attempt = url.searchParams.get('attempt') ?? '1';
      return new Response(body, { headers: { 'writ-attempt': attempt } });
    },
  });
  return { client, asked };
}

const wait = (): Promise<void> => turn();
const cut = (): Error => Object.assign(new TypeError('terminated'), { cause: { code: 'UND_ERR_SOCKET' } });
const problem = (status: number, code: string): Response =>
  Response.json({ code, title: code, status, detail: code, request: 'r' }, { status });
const running = (index: number, attempt = 1) => ({ index, attempt, state: 'running' as const });

test('a log goes on where it was when its connection is lost, and each byte is shown once', async () => {
  const answers: Piece[][] = [['one\n', 'tw', cut()], [cut()], ['o\n'], ['again\n']];
  const { client, asked } = openServer(async function* () {
    yield* answers.shift() ?? [];
  });
  let text = '';
  const show = async (bytes: Uint8Array): Promise<void> => void (text += Buffer.from(bytes).toString());
  const stream = new LogStream(client, 'aaaa', 0, 'stdout', show);
  const over = new AbortController();
  const followed = followLogs({ streamsOf: () => [stream], wait, signal: over.signal });
  followed.task(running(0));
  followed.task(running(0));
  await followed.over();
  assert.equal(text, 'one\ntwo\n');
  await stream.finish({ digest: digestOf('one\ntwo\n'), size: 8 }, 1);

  followed.task(running(0, 2));
  await followed.over();
  assert.equal(text, 'one\ntwo\nagain\n');
  assert.deepEqual(asked, [
    '0/logs/stdout?attempt=1&offset=0&follow=1',
    '0/logs/stdout?attempt=1&offset=6&follow=1',
    '0/logs/stdout?attempt=1&offset=6&follow=1',
    '0/logs/stdout?attempt=2&offset=0&follow=1',
  ]);
});

test('of many tasks so many are followed at once, and the next when one of them has ended', async () => {
  const ends: (() => void)[] = [];
  const { client, asked } = openServer(async function* (_url, signal) {
    await new Promise<void>((resolve) => {
      ends.push(resolve);
      signal?.addEventListener('abort', () => resolve());
    });
    yield '';
  });
  const streams = Array.from({ length: 40 }, (_none, index) => [
    new LogStream(client, 'aaaa', index, 'stdout', async () => undefined),
  ]);
  const over = new AbortController();
  const followed = followLogs({ streamsOf: (index) => streams[index], wait, signal: over.signal });
  for (let index = 0; index < 41; index += 1) followed.task(running(index));
  followed.task({ ...running(33), state: 'succeeded' });
  await turn();
  assert.equal(asked.length, 32);
  ends[0]?.();
  ends[1]?.();
  while (asked.length < 34) await turn();
  assert.deepEqual(
    asked.slice(32).map((path) => path.split('/')[0]),
    ['32', '34'],
  );
  over.abort();
  await followed.over();
  assert.equal(asked.length, 34);
});

test('what a server refuses is left for the end; what cannot be shown is an error', async () => {
  const over = new AbortController();
  const refusing = openServer(() => problem(429, 'quota.exceeded'));
  const refused = new LogStream(refusing.client, 'aaaa', 0, 'stdout', async () => undefined);
  const first = followLogs({ streamsOf: () => [refused], wait, signal: over.signal });
  first.task(running(0));
  await first.over();
  assert.equal(refusing.asked.length, 1);

  const { client } = openServer(async function* () {
    yield 'text';
  });
  const closed = new LogStream(client, 'aaaa', 0, 'stdout', () => Promise.reject(new Error('EPIPE')));
  const second = followLogs({ streamsOf: () => [closed], wait, signal: over.signal });
  second.task(running(0));
  await assert.rejects(second.over(), { message: 'EPIPE' });
});
