import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LINK_VERSION, PAYLOAD_TYPES } from '@writ/contract';
import { seal, signerFromSeed } from '@writ/trust';
import type { Member } from '../members.ts';
import type { LineStream } from './line-stream.ts';
import { type LinkParts, openLiveLink } from './live-link.ts';

const TASK = { job: 'aaaaaaaaaaaaaaaaaaaaaaaaai', index: 0, attempt: 1, token: { epoch: 1, n: 1 } };
/** Without its checks a link goes on asking, and waits for what nobody answers. */
const QUICK = { timeout: 10_000 };
const SET = { version: 1, digest: `sha256:${'0'.repeat(64)}` };

/** A link whose store answers when the test says so, as a PostgreSQL that is slow; what was asked is kept. */
function openSlow() {
  const asked: string[] = [];
  const sent: string[] = [];
  const waiting = new Map<string, PromiseWithResolvers<unknown>>();
  const slow = (name: string) => () => {
    asked.push(name);
    const answer = Promise.withResolvers<unknown>();
    waiting.set(name, answer);
    return answer.promise;
  };
  const told = (name: string) => () => void asked.push(name);
  const seat = { leave: told('leave'), isHeard: told('isHeard'), giveCredits: told('giveCredits') };
  const parts = {
    store: {
      trust: { readAgent: slow('readAgent') },
      jobs: { listWithdrawals: slow('listWithdrawals') },
      leases: { loseAgent: slow('loseAgent') },
    },
    clock: { now: () => 1000, monotonic: () => 0, after: () => () => undefined },
    log: () => undefined,
    cluster: { newest: () => SET, record: () => null, freshness: () => null },
    dispatch: { sit: () => seat, serve: () => undefined },
    mindClock: async () => undefined,
    onHello: told('onHello'),
    onReleased: told('onReleased'),
  };
  const lines: Partial<LineStream> = {
    send: (message) => void sent.push((message as { is: string }).is),
    end: () => undefined,
    roomy: () => Promise.resolve(),
    isFull: false,
  };
  const link = openLiveLink(
    parts as unknown as LinkParts,
    { identity: 'i', name: 'lab-01' } as unknown as Member,
    'test',
    lines as LineStream,
    () => undefined,
  );
  const hello = {
    is: 'hello',
    link: LINK_VERSION,
    writ: '0.1.0',
    description: seal(PAYLOAD_TYPES.description, {}, [signerFromSeed(new Uint8Array(32).fill(1))]).envelope,
    set: SET,
    seq: 0,
    credits: 1,
    held: [{ ...TASK, is: 'running' }],
  };
  return {
    link,
    asked,
    sent,
    greet: () => link.receive([JSON.stringify(hello)]),
    /** Until the store is asked for it. */
    async isAsked(name: string) {
      for (let turns = 0; !waiting.has(name); turns += 1) {
        assert.ok(turns < 1000, `${name} was not asked for; sent: ${sent.join(' ')}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    answer: (name: string, value: unknown) => waiting.get(name)?.resolve(value),
  };
}

const AGENT = { receiptSeq: 0, lastSeen: null, description: null };

test(
  'a link that ended while the database answered does not take the place of one that came later',
  QUICK,
  async () => {
    const { link, asked, sent, greet, isAsked, answer } = openSlow();
    const greeted = greet();
    await isAsked('readAgent');
    link.ended();
    answer('readAgent', AGENT);
    await greeted;
    assert.deepEqual([asked, sent], [['readAgent'], []]);
  },
);

test('it takes no tasks away, which another link of its agent may hold by then', QUICK, async () => {
  const { link, asked, greet, isAsked, answer } = openSlow();
  const greeted = greet();
  await isAsked('readAgent');
  answer('readAgent', AGENT);
  await isAsked('listWithdrawals');
  link.ended();
  answer('listWithdrawals', { items: [], next: 'more' });
  await greeted;
  assert.deepEqual(asked, ['readAgent', 'onHello', 'listWithdrawals', 'leave']);
});
