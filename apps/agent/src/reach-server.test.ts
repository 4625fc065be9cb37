import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import type { HeldLeaf } from './certificate/tls-store.ts';
import type { Clock } from './clock.ts';
import { reachServer } from './reach-server.ts';

const leaf = { own: {}, notBefore: -1_000, notAfter: 1_000 } as HeldLeaf;
const socket = {} as TLSSocket;
/** All waits are over at once. */
const hurried: Clock = { now: () => 0, monotonic: () => 0, wait: () => Promise.resolve() };
const untilStopped = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

const reach = (clock: Clock, tried: string[], held?: HeldLeaf, isAsking = false) =>
  reachServer({
    isAsking: () => isAsking,
    servers: [
      { host: 'silent', port: 1 },
      { host: 'alive', port: 2 },
    ],
    heldLeaf: () => held,
    enrol: async ({ host }, signal) => {
      tried.push(`enrol ${host}`);
      return host === 'silent' ? await untilStopped(signal) : leaf;
    },
    dialLink: async ({ to, signal }) => {
      const { host } = to as { host: string };
      tried.push(`dial ${host}`);
      if (host === 'silent') await untilStopped(signal);
      return { socket, identity: {} as never };
    },
    expectServer: () => ({}) as never,
    clock,
  });

it('gives up a server that stops answering in the middle, and tries the next address', async () => {
  const tried: string[] = [];
  assert.equal(await reach(hurried, tried, leaf).dial(new AbortController().signal), socket);
  assert.deepEqual(tried, ['dial silent', 'dial alive']);
});

it('gives up an enrolment that stops in the middle', async () => {
  const tried: string[] = [];
  assert.equal(await reach(hurried, tried).currentLeaf(new AbortController().signal), leaf);
  assert.deepEqual(tried, ['enrol silent', 'enrol alive']);
});

it('asks for another certificate when the one that it has begins later, or has ended', async () => {
  for (const held of [
    { ...leaf, notBefore: 1 },
    { ...leaf, notAfter: 0 },
  ]) {
    const tried: string[] = [];
    assert.equal(await reach(hurried, tried, held).currentLeaf(new AbortController().signal), leaf);
    assert.deepEqual(tried, ['enrol silent', 'enrol alive']);
  }
});

it('asks first for a certificate whose answer did not come, and comes with the one that it has when nobody answers', async () => {
  const tried: string[] = [];
  const other = { ...leaf };
  const asking = reach(hurried, tried, other, true);
  assert.equal(await asking.currentLeaf(new AbortController().signal), leaf);
  assert.deepEqual(tried, ['enrol silent', 'enrol alive']);
  const alone = reachServer({
    servers: [{ host: 'silent', port: 1 }],
    heldLeaf: () => other,
    isAsking: () => true,
    enrol: (_, signal) => untilStopped(signal),
    dialLink: () => Promise.reject(new Error('not dialed')),
    expectServer: () => ({}) as never,
    clock: hurried,
  });
  assert.equal(await alone.currentLeaf(new AbortController().signal), other);
});

it('stops at once when the agent stops', async () => {
  const stop = new AbortController();
  const patient: Clock = {
    ...hurried,
    wait: (_, signal) =>
      new Promise((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true })),
  };
  const dialing = reach(patient, [], leaf).dial(stop.signal);
  queueMicrotask(() => stop.abort(new Error('stopped')));
  await assert.rejects(dialing, /stopped/);
});
