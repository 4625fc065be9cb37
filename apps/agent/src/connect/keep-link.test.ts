import assert from 'node:assert/strict';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { after, before, describe, it } from 'node:test';
import { setRef } from '@writ/trust';
import { createTlsKey, dialLink } from '@writ/trust/certificates';
import type { OwnCertificate, PeerExpectation } from '@writ/trust/certificates';
import type { FromServer } from '@writ/contract';
import { makePaperCluster, startHostileServer } from '../../../../testkit/src/hostile-server.ts';
import type { HostileServer, PaperCluster } from '../../../../testkit/src/hostile-server.ts';
import { systemClock } from '../system-clock.ts';
import { backOff, keepLink } from './keep-link.ts';
import { readLines } from './line-reader.ts';
import { openLink } from './link.ts';
import type { Link } from './link.ts';
import { listenForServer } from './listen.ts';

let cluster: PaperCluster;
let server: HostileServer;
let own: OwnCertificate;

const expectOf = (role: 'server' | 'agent') => (): PeerExpectation => ({
  cluster: cluster.sets.cluster,
  roles: [role],
  now: Date.now(),
  roots: [cluster.authority.rootCertificate],
  issuing: [cluster.authority.issuingCertificate],
  mayActNow: () => true,
});
const certify = async (role: 'server' | 'agent'): Promise<OwnCertificate> => {
  const key = createTlsKey();
  const { chainPem } = await cluster.issue(role, 'lab-1', key.publicKeySpki);
  return { chainPem, privateKeyPem: key.privateKeyPem };
};

before(async () => {
  cluster = await makePaperCluster();
  server = await startHostileServer({ cluster });
  own = await certify('agent');
});
after(() => server.close());

function keep(dial: (signal: AbortSignal) => ReturnType<typeof dialLink>) {
  const heard: FromServer[] = [];
  let opened = 0;
  const keeper = keepLink({
    dial: async (signal) => (await dial(signal)).socket,
    open: openLink,
    silenceMs: 60_000,
    onOpen: (link) => {
      opened += 1;
      link.send({ is: 'pong', n: opened });
    },
    onMessage: (_link, message) => void heard.push(message),
    onOver: () => undefined,
    clock: systemClock(),
    random: Math.random,
    log: () => undefined,
  });
  return { keeper, heard, opened: () => opened };
}

async function eventually(holds: () => boolean): Promise<void> {
  for (let look = 0; look < 200; look += 1) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail('it did not come to hold');
}

describe('a link', () => {
  it('is made again each time it is cut', async () => {
    const stop = new AbortController();
    const { keeper, opened } = keep((signal) =>
      dialLink({ to: { host: '127.0.0.1', port: server.port }, own, expect: expectOf('server'), signal }),
    );
    const over = keeper.dialAlways(stop.signal);
    for (let time = 1; time <= 4; time += 1) {
      await eventually(() => server.heard.some((message) => message.is === 'pong' && message.n === time));
      server.cut();
    }
    await eventually(() => opened() >= 5);
    stop.abort();
    await over;
    assert.equal(keeper.link, undefined);
  });

  it('is made again at once with a server that took the agent in each time before it died', async () => {
    const stop = new AbortController();
    const waits: number[] = [];
    let opened = 0;
    const clock = systemClock();
    const keeper = keepLink({
      dial: async (signal) => {
        const to = { host: '127.0.0.1', port: server.port };
        return (await dialLink({ to, own, expect: expectOf('server'), signal })).socket;
      },
      open: openLink,
      silenceMs: 60_000,
      onOpen: (link) => link.send({ is: 'pong', n: 7000 + (opened += 1) }),
      onMessage: () => undefined,
      onOver: () => undefined,
      clock: {
        ...clock,
        wait: (milliseconds, signal) => {
          // The long ones watch whether the server still speaks.
          if (milliseconds < 10_000) waits.push(milliseconds);
          return clock.wait(milliseconds, signal);
        },
      },
      random: Math.random,
      log: () => undefined,
    });
    const over = keeper.dialAlways(stop.signal);
    for (let time = 1; time <= 4; time += 1) {
      await eventually(() => server.heard.some((said) => said.is === 'pong' && said.n === 7000 + time));
      server.send({
        is: 'welcome',
        link: 1,
        at: 0,
        writ: 'test',
        server: 'hostile',
        epoch: 1,
        leaseSeconds: 30,
        set: setRef(cluster.sets.newest),
      });
      await new Promise((resolve) => setTimeout(resolve, 600));
      server.cut();
    }
    await eventually(() => waits.length >= 4);
    stop.abort();
    await over;
    const afterDeaths = waits.slice(0, 4);
    assert.ok(
      afterDeaths.every((wait) => wait <= 100),
      afterDeaths.join(', '),
    );
  });

  it('is the same when the server dials', async () => {
    const { keeper } = keep(() => Promise.reject(new Error('nobody dials from here')));
    const listener = await listenForServer({
      host: '127.0.0.1',
      port: 0,
      own,
      expect: expectOf('server'),
      onSocket: (socket) => keeper.take(socket),
      log: () => undefined,
    });
    const asServer = await certify('server');
    const { socket } = await dialLink({
      to: { host: '127.0.0.1', port: listener.port },
      own: asServer,
      expect: expectOf('agent'),
      signal: AbortSignal.timeout(5000),
    });
    const before = server.heard.length;
    server.serve(socket);
    await eventually(() => server.heard.slice(before).some((message) => message.is === 'pong'));
    keeper.link?.close();
    await listener.close();
  });

  it('is not made with who shows no certificate of a server of this cluster', async () => {
    const refused: string[] = [];
    const { keeper, opened } = keep(() => Promise.reject(new Error('nobody dials from here')));
    const listener = await listenForServer({
      host: '127.0.0.1',
      port: 0,
      own,
      expect: expectOf('server'),
      onSocket: (socket) => keeper.take(socket),
      log: (event) => void refused.push(event),
    });
    const asAgent = await certify('agent');
    for (const options of [{}, { cert: asAgent.chainPem, key: asAgent.privateKeyPem }]) {
      const socket = connect({
        host: '127.0.0.1',
        port: listener.port,
        rejectUnauthorized: false,
        ALPNProtocols: ['h2'],
        ...options,
      });
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.once('close', resolve));
    }
    await eventually(() => refused.length === 2);
    assert.equal(opened(), 0);
    await listener.close();
  });

  it('is tried again at once, then later and later, each agent at its own time', () => {
    assert.ok(backOff(1, () => 1) <= 100);
    assert.equal(
      backOff(2, () => 1),
      200,
    );
    assert.equal(
      backOff(5, () => 1),
      1600,
    );
    assert.equal(
      backOff(40, () => 1),
      5_000,
    );
    assert.equal(
      backOff(40, () => 0),
      2500,
    );
  });
});

describe('lines of a link', () => {
  it('are the same however the bytes are cut, and end the link when they do not end', () => {
    const lines: string[] = [];
    const read = readLines(20, (line) => lines.push(line));
    for (const byte of Buffer.from('één\ntwo\n\nthree\n')) read(Buffer.from([byte]));
    assert.deepEqual(lines, ['één', 'two', 'three']);
    assert.throws(
      () => {
        for (let at = 0; at < 30; at += 1) read(Buffer.from('x'));
      },
      { code: 'link.malformed' },
    );
  });

  it('is made anew when nothing comes any more and nobody says so', async () => {
    const stop = new AbortController();
    let passed = 0;
    let opened = 0;
    const keeper = keepLink({
      dial: () => Promise.resolve({} as TLSSocket),
      open: () => {
        opened += 1;
        if (opened === 2) stop.abort();
        const over = Promise.withResolvers<Error | undefined>();
        return { over: over.promise, close: over.resolve } as unknown as Link;
      },
      silenceMs: 60_000,
      onOpen: () => undefined,
      onMessage: () => undefined,
      onOver: (reason) => assert.match(String(reason), /60 seconds/),
      clock: {
        now: () => passed,
        monotonic: () => passed,
        wait: async (milliseconds) => {
          passed += milliseconds;
        },
      },
      random: () => 0,
      log: () => undefined,
    });
    const over = keeper.dialAlways(stop.signal);
    await eventually(() => opened === 2);
    keeper.link?.close();
    assert.ok(passed >= 60_000);
    await Promise.race([over, Promise.resolve()]);
  });
});
