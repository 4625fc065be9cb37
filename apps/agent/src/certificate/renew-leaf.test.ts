import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { CertificateReply, Envelope } from '@writ/contract';
import { judgeCertificateRequest, keyBytes, signerFromSeed } from '@writ/trust';
import { makePaperCluster } from '../../../../testkit/src/hostile-server.ts';
import type { PaperCluster } from '../../../../testkit/src/hostile-server.ts';
import { systemClock } from '../system-clock.ts';
import { renewalTime, renewAlways, renewLeaf } from './renew-leaf.ts';
import { openTlsStore } from './tls-store.ts';
import type { TlsStore } from './tls-store.ts';

const base = mkdtempSync(join(tmpdir(), 'writ-tls-'));
const identity = signerFromSeed(new Uint8Array(32).fill(5));
let cluster: PaperCluster;
let folders = 0;

before(async () => {
  cluster = await makePaperCluster();
});
after(() => rmSync(base, { recursive: true, force: true }));

const open = (folder: string): Promise<TlsStore> =>
  openTlsStore({
    folder,
    cluster: cluster.sets.cluster,
    name: () => 'lab-1',
    identity,
    roots: () => [cluster.authority.rootCertificate],
  });
const newFolder = (): string => join(base, String((folders += 1)));

/** An honest authority: the same key gets the same leaf. */
function openAuthority(lifeMs?: number) {
  const given = new Map<string, CertificateReply>();
  const asked: string[] = [];
  const issue = async (request: Envelope): Promise<CertificateReply> => {
    const { tlsKey, previous } = judgeCertificateRequest(request, cluster.sets.cluster);
    asked.push(`${tlsKey} after ${previous ?? 'none'}`);
    const known = given.get(tlsKey);
    if (known) return known;
    const { chain, notAfter } = await cluster.issue('agent', 'lab-1', keyBytes(tlsKey), lifeMs);
    given.set(tlsKey, { chain, notAfter });
    return { chain, notAfter };
  };
  return { issue, asked, given };
}

const parts = { clock: systemClock(), log: () => undefined };

describe('renewing a leaf', () => {
  it('stores the new key before it asks, and asks the same again after a lost answer', async () => {
    const folder = newFolder();
    const { issue, asked, given } = openAuthority();
    const store = await open(folder);
    await assert.rejects(
      renewLeaf({
        ...parts,
        store,
        ask: async (request) => {
          assert.ok(readFileSync(join(folder, 'next.json'), 'utf8').includes(request.payload));
          await issue(request);
          throw new Error('the answer was lost');
        },
      }),
      /lost/,
    );
    // The process dies too: another one finds the key on disk.
    const leaf = await renewLeaf({ ...parts, store: await open(folder), ask: issue });
    assert.equal(asked.length, 2);
    assert.equal(asked[0], asked[1]);
    assert.equal(given.size, 1);
    assert.equal((await open(folder)).leaf?.serial, leaf.serial);
  });

  it('shows a key to nobody before it is on the disk, also to who asks while it is written', async () => {
    const folder = newFolder();
    const store = await open(folder);
    const now = Date.now();
    const isStored = await Promise.all(
      [store.prepare(now), store.prepare(now)].map(async (asked) => {
        const { payload } = await asked;
        return readFileSync(join(folder, 'next.json'), 'utf8').includes(payload);
      }),
    );
    assert.deepEqual(isStored, [true, true]);
  });

  it('names the leaf before, so that a clone shows', async () => {
    const folder = newFolder();
    const { issue, asked } = openAuthority();
    const store = await open(folder);
    const first = await renewLeaf({ ...parts, store, ask: issue });
    await renewLeaf({ ...parts, store, ask: issue });
    const [one, two] = asked.map((text) => text.split(' after '));
    assert.deepEqual([one?.[1], two?.[1]], ['none', first.serial]);
    assert.notEqual(one?.[0], two?.[0]);
  });

  it('keeps the leaf it has when the answer is for another name, key or authority', async () => {
    const store = await open(newFolder());
    const { issue } = openAuthority();
    const held = await renewLeaf({ ...parts, store, ask: issue });
    const thief = await makePaperCluster();
    const lies: readonly ((request: Envelope) => Promise<unknown>)[] = [
      async (request) =>
        await cluster.issue(
          'agent',
          'prod-1',
          keyBytes(judgeCertificateRequest(request, cluster.sets.cluster).tlsKey),
        ),
      async (request) =>
        await thief.issue(
          'agent',
          'lab-1',
          keyBytes(judgeCertificateRequest(request, cluster.sets.cluster).tlsKey),
        ),
      async () => ({ chain: ['AAAA', 'AAAA'], notAfter: Date.now() + 1000 }),
    ];
    for (const lie of lies) {
      const ask = async (request: Envelope): Promise<unknown> => {
        const { chain, notAfter } = (await lie(request)) as CertificateReply;
        return { chain, notAfter };
      };
      await assert.rejects(renewLeaf({ ...parts, store, ask }));
      assert.equal(store.leaf?.serial, held.serial);
    }
  });

  it('comes at half of a leaf’s life, a tenth sooner or later', () => {
    const leaf = { notBefore: 1000, notAfter: 2000 };
    assert.equal(
      renewalTime(leaf, () => 0),
      1400,
    );
    assert.equal(
      renewalTime(leaf, () => 0.5),
      1500,
    );
    assert.equal(
      renewalTime(leaf, () => 1),
      1600,
    );
  });

  it('does not ask again at once where this clock is so far ahead that each new leaf looks old', async () => {
    const store = await open(newFolder());
    const { issue, given } = openAuthority();
    await renewLeaf({ ...parts, store, ask: issue });
    const life = store.leaf!.notAfter - store.leaf!.notBefore;
    const ahead = life * 0.9;
    let passed = 0;
    const stop = new AbortController();
    await renewAlways(
      {
        ...parts,
        store,
        ask: issue,
        onRenewed: () => {
          if (given.size > 20) stop.abort();
        },
        random: () => 0.5,
        clock: {
          now: () => store.leaf!.notBefore + ahead,
          monotonic: () => passed,
          wait: async (milliseconds) => {
            passed += milliseconds;
            if (passed > life) stop.abort();
          },
        },
      },
      stop.signal,
    );
    assert.ok(given.size < 15, `${given.size} leaves in a leaf's life`);
  });

  it('goes on by itself', async () => {
    const store = await open(newFolder());
    const { issue, given } = openAuthority();
    await renewLeaf({ ...parts, store, ask: issue });
    let now = store.leaf!.notBefore;
    const waits: number[] = [];
    const stop = new AbortController();
    await renewAlways(
      {
        ...parts,
        store,
        ask: issue,
        onRenewed: () => {
          if (given.size === 4) stop.abort();
        },
        random: () => 0.5,
        clock: {
          now: () => now,
          monotonic: () => now,
          wait: async (milliseconds) => {
            waits.push(milliseconds);
            now += milliseconds;
          },
        },
      },
      stop.signal,
    );
    assert.equal(given.size, 4);
    assert.ok(waits.every((wait) => wait <= 3_600_000));
  });
});
