import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { openJobApi } from './open-job-api.ts';
import type { Door, JobApi } from './open-job-api.ts';

const base = mkdtempSync(join(tmpdir(), 'writ-job-api-'));
after(() => rmSync(base, { recursive: true, force: true }));

describe('the socket by which a job speaks to its agent', () => {
  const folder = join(base, 'sockets');
  const [one, two] = [
    { slot: 0, set: 0 },
    { slot: 1, set: 0 },
  ] as const;
  let time = 0;
  let api: JobApi;
  let heard: Array<readonly [by: string, progress: number | null, message: string]> = [];
  const sockets: Socket[] = [];

  beforeEach(async () => {
    [time, heard] = [0, []];
    api = await openJobApi({
      folder,
      slots: 2,
      sets: 1,
      monotonic: () => time,
      onFault: (error) => assert.fail(error),
    });
    begin(one, 'one');
    begin(two, 'two');
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await api.close();
  });

  const begin = (door: Door, by: string): void =>
    api.begin(door, {
      onProgress: ({ progress, message }) => heard.push([by, progress, message]),
      whyNotOutput: (path) => (path.startsWith('out/') ? null : 'it was not asked for'),
    });
  const pathOf = ({ slot, set }: Door): string => join(folder, `${slot}.${set}`);
  const look = (milliseconds = 100): void => {
    time += milliseconds;
    api.look();
  };
  const dial = (door: Door): Socket => {
    const socket = connect(pathOf(door));
    socket.on('error', () => {});
    sockets.push(socket);
    return socket;
  };
  /** Says it, hangs up its own end, and reads what is answered to the end. */
  const say = async (said: string | Buffer, door: Door = one): Promise<string> => {
    const socket = dial(door);
    let answer = '';
    socket.setEncoding('utf8').on('data', (more: string) => (answer += more));
    socket.end(said);
    await closing(socket);
    return answer;
  };
  const closing = (socket: Socket): Promise<void> =>
    new Promise((resolve) => socket.once('close', () => resolve()));
  const code = (answer: string): string | undefined => /^error (\S+) /.exec(answer)?.[1];

  test('takes progress, messages and outputs, a line each, and tells the newest', async () => {
    assert.equal(await say('progress 0.25 a quarter\nmessage and now\n'), 'ok\nok\n');
    look();
    assert.equal(await say('progress 0.5\r\n'), 'ok\n');
    look();
    assert.deepEqual(heard, [
      ['one', 250, 'and now'],
      ['one', 500, 'and now'],
    ]);
    assert.equal(await say('output out/a.csv\noutput ./out/b\noutput out/a.csv\n'), 'ok\nok\nok\n');
    assert.deepEqual([...api.end(one).named], ['out/a.csv', 'out/b']);
    assert.deepEqual([...api.end(two).named], []);
  });

  test('takes the same as a POST of HTTP/1.1', async () => {
    const post = async (path: string, body: string): Promise<[number | undefined, string]> => {
      const asked = request({ socketPath: pathOf(one), path, method: 'POST' }).end(body);
      const [answer] = (await once(asked, 'response')) as [NodeJS.ReadableStream & { statusCode?: number }];
      return [answer.statusCode, await text(answer)];
    };
    assert.deepEqual(await post('/progress', '0.4 by post\n'), [200, 'ok\n']);
    const [status, refusal] = await post('/output', '../x');
    assert.deepEqual([status, code(refusal)], [400, 'job_api.not_a_path']);
    look();
    assert.deepEqual(heard, [['one', 400, 'by post']]);
  });

  test('reads no body whose length is in doubt, and nothing behind a POST', async () => {
    const start = 'POST /message HTTP/1.1\r\nHost: x\r\n';
    for (const head of [
      'Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n',
      'Content-Length: 1\r\nContent-Length: 2\r\n\r\nx',
      'Content-Length: +1\r\n\r\nx',
      'Content-Length : 1\r\n\r\nx',
      'x: y\r\n'.repeat(40),
    ])
      assert.match(
        await say(start + head),
        /^HTTP\/1\.1 400 .*\r\n\r\nerror job_api\.bad_request [^\n]*\n$/s,
        head,
      );
    assert.match(await say(`${start}Content-Length: 99999\r\n\r\n`), /\r\n\r\nerror job_api\.too_long /);
    const two = await say(`${start}Content-Length: 1\r\n\r\nxmessage smuggled\n`);
    assert.match(two, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nok\n$/);
    look();
    assert.deepEqual(heard, [['one', null, 'x']]);
  });

  test('answers each fault with its code, and goes on', async () => {
    for (const [said, expected] of [
      ['', 'unknown'],
      ['stop', 'unknown'],
      ['PROGRESS 1', 'unknown'],
      [`${'{"a":'.repeat(600)}`, 'unknown'],
      ['progress', 'not_a_share'],
      ['progress 1.1', 'not_a_share'],
      ['progress -0', 'not_a_share'],
      ['progress NaN', 'not_a_share'],
      ['progress 0x1', 'not_a_share'],
      ['progress 1e-999999', 'not_a_share'],
      [`message ${'x'.repeat(1001)}`, 'too_long'],
      ['message \u001b[2J', 'not_text'],
      ['message a\u0000b', 'not_text'],
      ['output ../x', 'not_a_path'],
      ['output out/../../x', 'not_a_path'],
      ['output /etc/passwd', 'not_a_path'],
      ['output out//x', 'not_a_path'],
      ['output out/', 'not_a_path'],
      ['output ', 'not_a_path'],
      ['output else', 'not_ordered'],
      [`output ${'a/'.repeat(70)}a`, 'too_long'],
    ] as const)
      assert.equal(code(await say(`${said}\n`)), `job_api.${expected}`, said.slice(0, 40));
    assert.equal(code(await say(Buffer.from('message \xff\xfe\n', 'latin1'))), 'job_api.not_text');
    assert.match(await say('nonsense\nprogress 1\n'), /^error job_api\.unknown .*\nok\n$/);
    look();
    assert.deepEqual(heard, [['one', 1000, '']]);
    assert.equal(api.end(one).named.size, 0);
  });

  test('does not take half a line for whole', async () => {
    assert.equal(code(await say('progress 0.1')), 'job_api.unfinished');
    assert.equal(
      await say('progress 0.2\nprogress 0.'),
      'ok\nerror job_api.unfinished the connection ended within a request\n',
    );
    look();
    assert.deepEqual(heard, [['one', 200, '']]);
  });

  test('leaves an endless line after 4 KiB, having kept none of it', async () => {
    const socket = dial(one);
    socket.resume();
    const piece = Buffer.alloc(65_536, 97);
    const closed = closing(socket);
    let sent = 0;
    const push = (): void => {
      while (!socket.destroyed && sent < 2 ** 26 && socket.write(piece)) sent += piece.length;
      sent += piece.length;
    };
    socket.on('drain', push);
    push();
    await closed;
    assert.ok(sent < 2 ** 22, String(sent));
    assert.equal(await say('message still there\n'), 'ok\n');
  });

  test('leaves one that begins a line and does not end it', async () => {
    const socket = dial(one);
    socket.write('progress 0.');
    await once(socket, 'connect');
    assert.equal(await say('message other\n'), 'ok\n');
    look();
    const closed = closing(socket.resume());
    look(9_000);
    assert.equal(socket.destroyed, false);
    look(2_000);
    await closed;
  });

  test('lets 10,000 messages wait for their turn, and tells at most ten a second', async () => {
    const socket = dial(one);
    let answers = '';
    socket.setEncoding('utf8').on('data', (more: string) => (answers += more));
    socket.end(Array.from({ length: 10_000 }, (_, n) => `progress ${n / 10_000} ${n}\n`).join(''));
    const closed = closing(socket);
    let isClosed = false;
    void closed.then(() => (isClosed = true));
    const seen: number[] = [];
    while (!isClosed) {
      look(25);
      seen.push(time);
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(time < 600_000, `${answers.length / 3} answers`);
    }
    look();
    assert.ok(answers === 'ok\n'.repeat(10_000), `${answers.length / 3} answers`);
    // 2,000 at once, then 1,000 a second.
    assert.ok(time >= 7_900, String(time));
    assert.ok(heard.length <= time / 100 + 1, `${heard.length} in ${time} ms`);
    assert.deepEqual(heard.at(-1), ['one', 1000, '9999']);
  });

  test('answers one that never listens no more than it can hold', async () => {
    const socket = dial(one).pause();
    let taken = 0;
    for (let n = 0; n < 2000; n += 1) {
      socket.write('stop\n'.repeat(100), () => (taken += 1));
      look(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(taken < 1800, String(taken));
    assert.equal(await say('message other\n'), 'ok\n');
  });

  test('has 16 connections open at most, and after thousands no more come; others are not disturbed', async () => {
    const open = Array.from({ length: 16 }, () => dial(one));
    for (const socket of open) {
      socket.write('message x\n');
      await once(socket, 'data');
    }
    assert.equal(code(await say('progress 1\n')), 'job_api.too_many');
    const fates = new Map<string, number>();
    for (let wave = 0; wave < 30; wave += 1)
      await Promise.all(
        Array.from({ length: 100 }, async () => {
          const socket = connect(pathOf(one)).on('error', () => {});
          const fate = await new Promise<string>((resolve) => {
            socket.once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
            socket.once('close', () => resolve('closed'));
            socket.resume();
          });
          fates.set(fate, (fates.get(fate) ?? 0) + 1);
        }),
      );
    const refusedAtDoor = (fates.get('ENOENT') ?? 0) + (fates.get('ECONNREFUSED') ?? 0);
    assert.ok(refusedAtDoor > 500, JSON.stringify([...fates]));
    assert.equal(await say('progress 0.5 fine\n', two), 'ok\n');
    // The next attempt at this door finds it open.
    await api.end(one).quiet;
    begin(one, 'next');
    assert.equal(await say('message next\n'), 'ok\n');
    look();
    assert.deepEqual(
      heard.toSorted(([a], [b]) => a.localeCompare(b)),
      [
        ['next', null, 'next'],
        ['one', null, 'x'],
        ['two', 500, 'fine'],
      ],
    );
  });

  test('hears nothing on a connection that outlives its attempt', async () => {
    const socket = dial(one);
    socket.write('message early\n');
    await once(socket, 'data');
    const closed = closing(socket);
    const { quiet } = api.end(one);
    socket.write('message late\n');
    await quiet;
    await closed;
    begin(one, 'next');
    look();
    assert.deepEqual(heard, [['one', null, 'early']]);
  });

  test('takes what a job said in its last moment for nobody else', async () => {
    // The agent is busy with something else while the job comes, speaks and ends: then its end is heard first.
    const speak = `const it = require('node:net').connect(${JSON.stringify(pathOf(one))});
      it.write('progress 1 I am done\\noutput out/mine\\n', () => process.exit())`;
    assert.equal(spawnSync(process.execPath, ['-e', speak]).status, 0);
    const { quiet } = api.end(one);
    await quiet;
    begin(one, 'next');
    await new Promise((resolve) => setTimeout(resolve, 20));
    look();
    assert.deepEqual(heard, []);
    assert.equal(await say('message mine\n'), 'ok\n');
    look();
    assert.deepEqual(heard, [['next', null, 'mine']]);
    assert.equal(api.end(one).named.size, 0);
  });

  test('keeps to 256 outputs', async () => {
    const lines = Array.from({ length: 300 }, (_, n) => `output out/${n}\n`).join('');
    const answers = (await say(lines)).split('\n').slice(0, -1);
    assert.equal(answers.filter((answer) => answer === 'ok').length, 256);
    assert.equal(code(answers.at(-1) ?? ''), 'job_api.too_many');
    assert.equal(api.end(one).named.size, 256);
  });

  test('takes in little of what is poured into it, and holds no more', async () => {
    const piece = Buffer.alloc(65_536, `message ${'x'.repeat(200)}\n`);
    let taken = 0;
    for (const socket of Array.from({ length: 16 }, () => dial(one)))
      for (let n = 0; n < 256; n += 1) socket.write(piece, (error) => (taken += error ? 0 : piece.length));
    for (let turn = 0, before = -1; turn < 50 || taken !== before; turn += 1) {
      before = taken;
      await new Promise((resolve) => setImmediate(resolve));
    }
    // Of 256 MiB; most of what was taken lies with the kernel.
    assert.ok(taken < 2 ** 24, String(taken));
    assert.equal(await say('message other\n', two), 'ok\n');
  });

  test('listens also in a folder that is too deep for an address', async () => {
    const deep = join(base, 'd'.repeat(120));
    mkdirSync(deep);
    const other = await openJobApi({
      folder: join(deep, 'sockets'),
      slots: 1,
      sets: 1,
      monotonic: () => time,
      onFault: (error) => assert.fail(error),
    });
    await other.close();
  });
});
