import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import type { Envelope } from '@writ/contract';
import { makeFirstSet, makeWithdrawal, newId, newSeed, signerFromSeed, startSets } from '@writ/trust';
import { openWithdrawals } from './withdrawals.ts';

const random = (bytes: Uint8Array<ArrayBuffer>): unknown => crypto.getRandomValues(bytes);
const signer = signerFromSeed(newSeed(random));
const person = newId(random);
const sets = startSets(
  makeFirstSet(
    {
      nonce: newId(random),
      now: Date.now(),
      person: { id: person, name: 'ana', keyName: 'laptop' },
      authorities: [Buffer.from('a root').toString('base64')],
    },
    signer,
  ).envelope,
);
const order = `sha256:${'0'.repeat(64)}`;
const make = (index: number): Envelope =>
  makeWithdrawal({ cluster: sets.cluster, order, indexes: [index], person, now: Date.now() }, signer)
    .envelope;

const base = mkdtempSync(join(tmpdir(), 'writ-withdrawals-'));
let folder = '';
let count = 0;
beforeEach(() => {
  folder = join(base, String((count += 1)));
});
after(() => rmSync(base, { recursive: true, force: true }));
const path = (): string => join(folder, 'withdrawals');
const open = () =>
  openWithdrawals({
    path: path(),
    sets: () => sets,
    now: () => Date.now(),
    onKept: () => undefined,
    log: () => undefined,
  });
const countKept = (): number => (JSON.parse(readFileSync(path(), 'utf8')) as unknown[]).length;

describe('withdrawals that an agent keeps', () => {
  it('are kept once when they come again on each link, and count after a restart', async () => {
    const one = make(1);
    const kept = await open();
    for (const envelope of [one, one, make(2), one]) assert.ok(await kept.take(envelope));
    assert.equal(countKept(), 2);
    const again = await open();
    assert.deepEqual(
      [1, 2, 3].map((index) => again.holds(order, index, person)),
      [true, true, false],
    );
  });

  it('are all there after a restart when many come in one turn', async () => {
    const kept = await open();
    const indexes = Array.from({ length: 20 }, (_, index) => index);
    const early = kept.take(make(20));
    await new Promise(setImmediate);
    assert.ok((await Promise.all(indexes.map((index) => kept.take(make(index))))).every(Boolean));
    await early;
    assert.equal(countKept(), 21);
    const again = await open();
    assert.ok(indexes.every((index) => again.holds(order, index, person)));
  });

  it('are not said to be kept before they are, and are written when they come again', async () => {
    const kept = await open();
    writeFileSync(folder, 'where the folder would be');
    const one = make(1);
    const ends = await Promise.allSettled([kept.take(one), kept.take(one)]);
    assert.deepEqual(
      ends.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.ok(kept.holds(order, 1, person), 'it counts all the same');
    rmSync(folder);
    assert.ok(await kept.take(one));
    assert.equal(countKept(), 1);
  });
});
