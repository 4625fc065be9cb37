import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { startFaultProxy } from './fault-proxy.ts';

const echo = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => {});
  socket.pipe(socket);
});
const port = (): number => (echo.address() as AddressInfo).port;
before(async () => {
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
});
after(() => echo.close());

test('what goes in comes out, up to the last byte', async () => {
  await using proxy = await startFaultProxy({ port: port() });
  const sent = Buffer.alloc(5_000_000, 'writ');
  const socket = await dial(proxy.port);
  socket.end(sent);
  assert.deepEqual(await buffer(socket), sent);
  assert.deepEqual(proxy.bytes, { up: sent.length, down: sent.length });
  assert.equal(proxy.accepted, 1);
});

test('a cut ends the open connections and lets the next one in', async () => {
  await using proxy = await startFaultProxy({ port: port() });
  const socket = await dial(proxy.port);
  socket.write('a');
  await once(socket, 'data');
  assert.equal(proxy.open, 1);
  proxy.cut();
  await closed(socket);
  const again = await dial(proxy.port);
  again.end('b');
  assert.equal((await buffer(again)).toString(), 'b');
});

test('cut after a number of bytes passes no byte more', async () => {
  await using proxy = await startFaultProxy({ port: port() });
  proxy.cutAfter('up', 1000);
  const socket = await dial(proxy.port);
  socket.write(Buffer.alloc(100_000));
  await closed(socket);
  assert.equal(proxy.bytes.up, 1000);
});

test('a held answer comes when it is let go, and the request has passed', async () => {
  await using proxy = await startFaultProxy({ port: port() });
  const socket = await dial(proxy.port);
  const letGo = proxy.hold('down');
  let answered = false;
  const answer = once(socket, 'data').then(() => {
    answered = true;
  });
  socket.write('question');
  await proxy.holding('down', AbortSignal.timeout(5000));
  assert.equal(proxy.bytes.up, 8);
  assert.equal(proxy.bytes.down, 0);
  assert.equal(answered, false);
  letGo();
  await answer;
  assert.equal(proxy.bytes.down, 8);
  socket.destroy();
});

test('a delay is kept in both directions and does not change the order', async () => {
  await using proxy = await startFaultProxy({ port: port() });
  const socket = await dial(proxy.port);
  proxy.delay(60);
  const start = performance.now();
  socket.write('1');
  setTimeout(() => socket.end('2'), 20);
  assert.equal((await buffer(socket)).toString(), '12');
  assert.ok(performance.now() - start >= 118);
});

test('while it refuses, whoever dials is cut off', async () => {
  await using proxy = await startFaultProxy({ port: port() });
  proxy.refuse();
  await closed(connect(proxy.port, '127.0.0.1'));
  assert.equal(proxy.accepted, 0);
  proxy.accept();
  const socket = await dial(proxy.port);
  socket.end('c');
  assert.equal((await buffer(socket)).toString(), 'c');
});

test('a target that is not there ends the connection', async () => {
  const gone = createServer();
  gone.listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const free = (gone.address() as AddressInfo).port;
  gone.close();
  await once(gone, 'close');
  await using proxy = await startFaultProxy({ port: free });
  await closed(connect(proxy.port, '127.0.0.1'));
});

async function dial(to: number): Promise<Socket> {
  const socket = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

async function closed(socket: Socket): Promise<void> {
  socket.on('error', () => {});
  socket.resume();
  if (socket.closed) return;
  await new Promise((resolve) => {
    socket.once('close', resolve);
  });
}
