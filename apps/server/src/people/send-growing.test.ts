import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttp1, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect, constants, createServer as createHttp2 } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { test, type TestContext } from 'node:test';
import fastify from 'fastify';
import { type Followers, openFollowers } from './followers.ts';
import { sendGrowing } from './send-growing.ts';

const caller = { role: 'member', actor: 'token:one', source: 'test' } as const;
const PLACES = 256;

/** As many of the places of one token as are free: they are taken, and given back. */
function countFree(followers: Followers): number {
  const leave: (() => void)[] = [];
  try {
    for (;;) leave.push(followers.enter(caller));
  } catch {
    return leave.length;
  } finally {
    for (const one of leave) one();
  }
}

/** One route, which asks somebody for as long as the test likes before it answers. */
async function serve(t: TestContext, make: (onRequest: (...pair: never[]) => void) => Server) {
  const followers = openFollowers();
  const asked = Promise.withResolvers<void>();
  const mayAnswer = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const app = fastify({ logger: false });
  app.decorateRequest('caller');
  app.decorateRequest('askAgain');
  app.addHook('onRequest', async (from) => {
    from.caller = caller;
    from.askAgain = async () => {};
  });
  app.get('/grows', { config: { policy: 'member', group: 'client' } }, async (_request, reply) => {
    reply.raw.once('close', closed.resolve);
    asked.resolve();
    await mayAnswer.promise;
    try {
      return sendGrowing(followers, reply, 'text/plain', async function* (signal) {
        yield 'begun';
        if (!signal.aborted) await once(signal, 'abort');
      });
    } finally {
      answered.resolve();
    }
  });
  await app.ready();
  const server = make(((from: IncomingMessage, to: ServerResponse) => app.routing(from, to)) as never);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    server.close();
    await app.close();
  });
  const { port } = server.address() as AddressInfo;
  return { followers, port, asked, mayAnswer, answered, closed };
}

/** Asks over that protocol. @returns what goes away. */
const READERS = {
  'HTTP/1.1': (t: TestContext, port: number, onBegun: () => void) => {
    const asking = request({ port, host: '127.0.0.1', path: '/grows', agent: false });
    asking.on('error', () => {});
    asking.on('response', (answer) => answer.on('error', () => {}).once('data', onBegun));
    asking.end();
    t.after(() => asking.destroy());
    return () => void asking.destroy();
  },
  'HTTP/2': (t: TestContext, port: number, onBegun: () => void) => {
    const session = connect(`http://127.0.0.1:${port}`);
    session.on('error', () => {});
    const asking = session.request({ ':path': '/grows' });
    asking.on('error', () => {});
    asking.once('data', onBegun);
    asking.end();
    t.after(() => session.destroy());
    return () => asking.close(constants.NGHTTP2_CANCEL);
  },
};
const SERVERS = {
  'HTTP/1.1': (onRequest: (...pair: never[]) => void) => createHttp1(onRequest as never),
  'HTTP/2': (onRequest: (...pair: never[]) => void) => createHttp2(onRequest as never),
};

for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
  test(`a reader who goes before the answer begins holds no place (${protocol})`, async (t) => {
    const { followers, port, asked, mayAnswer, answered, closed } = await serve(t, SERVERS[protocol]);
    const go = READERS[protocol](t, port, () => {});
    await asked.promise;
    go();
    await closed.promise;
    mayAnswer.resolve();
    await answered.promise;
    assert.equal(countFree(followers), PLACES);
  });

  test(`a reader who goes while the answer grows gives the place back (${protocol})`, async (t) => {
    const { followers, port, mayAnswer, closed } = await serve(t, SERVERS[protocol]);
    const begun = Promise.withResolvers<void>();
    const go = READERS[protocol](t, port, begun.resolve);
    mayAnswer.resolve();
    await begun.promise;
    assert.equal(countFree(followers), PLACES - 1);
    go();
    await closed.promise;
    assert.equal(countFree(followers), PLACES);
  });
}
