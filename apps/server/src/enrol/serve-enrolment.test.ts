import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { inspect } from 'node:util';
import { StoreError } from '@writ/store';
import { signerFromSeed } from '@writ/trust';
import { digestOf } from '@writ/trust/digest';
import { type EnrolParts, openEnrolment } from './serve-enrolment.ts';

test('who joins while the database is away hears so, in words that name neither host nor database', async () => {
  const logged: unknown[] = [];
  const findInvite = () =>
    Promise.reject(new StoreError('store.cut_off', 'postgres://writ@db-7:5432/writ ended the connection.'));
  const enrolment = openEnrolment({
    clock: { now: () => 0, monotonic: () => 0, after: () => () => {} },
    log: (...said: unknown[]) => void logged.push(said),
    store: { trust: { findInvite } },
  } as unknown as EnrolParts);
  const server = createServer((socket) => enrolment.serve(socket as TLSSocket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const machine = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  try {
    const { key } = signerFromSeed(new Uint8Array(32).fill(1));
    machine.write(`${JSON.stringify({ is: 'join', enrol: 1, inviteKey: key, set: digestOf('a set') })}\n`);
    const [said] = await once(machine, 'data');
    const answer = JSON.parse(String(said)) as { is: string; code: string; detail: string };
    assert.deepEqual([answer.is, answer.code], ['refused', 'server.unavailable']);
    assert.match(answer.detail, /does not reach its database.*ask again, with the same invite/);
    assert.doesNotMatch(answer.detail, /db-7/);
    assert.match(inspect(logged, { depth: 9 }), /server\.unavailable.*db-7/s);
  } finally {
    machine.destroy();
    server.close();
  }
});

test('a machine that is refused because too many join is cut in the end, though it keeps its side open', async () => {
  const due: (() => void)[] = [];
  const clock = {
    now: () => 0,
    monotonic: () => 0,
    after: (_milliseconds: number, then: () => void) => {
      due.push(then);
      return () => {};
    },
  };
  // Nobody gets as far as the other parts.
  const enrolment = openEnrolment({ clock, log: () => {} } as unknown as EnrolParts);
  const taken: Socket[] = [];
  const server = createServer({ allowHalfOpen: false }, (socket) => {
    taken.push(socket);
    enrolment.serve(socket as TLSSocket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const strangers: Socket[] = [];
  try {
    const come = async (localAddress: string): Promise<Socket> => {
      const stranger = connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true });
      stranger.on('error', () => {});
      strangers.push(stranger);
      await once(stranger, 'connect');
      return stranger;
    };
    for (let at = 0; at < 32; at += 1) await come('127.0.0.1');
    const [refusal] = await once(await come('127.0.0.1'), 'data');
    assert.match(String(refusal), /request\.rate/);
    assert.equal(taken[32]?.destroyed, false);
    // One address does not keep the others out, until there are too many of them all.
    for (let at = 0; at < 224; at += 1) await come(`127.0.0.${2 + Math.floor(at / 32)}`);
    assert.deepEqual(
      strangers.filter((stranger, at) => at !== 32 && stranger.bytesRead > 0),
      [],
    );
    const [full] = await once(await come('127.0.1.1'), 'data');
    assert.match(String(full), /request\.rate/);
    for (const then of due) then();
    assert.deepEqual(
      taken.map((socket) => socket.destroyed),
      taken.map(() => true),
    );
  } finally {
    for (const socket of [...strangers, ...taken]) socket.destroy();
    server.close();
  }
});
