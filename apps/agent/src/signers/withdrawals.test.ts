import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeFirstSet, makeWithdrawal, newId, newSeed, signerFromSeed, startSets } from '@writ/trust';
import { openWithdrawals } from './withdrawals.ts';

test('a withdrawal that comes again on each link is kept once, and counts after a restart', async () => {
  const random = (bytes: Uint8Array<ArrayBuffer>): unknown => crypto.getRandomValues(bytes);
  const signer = signerFromSeed(newSeed(random));
  const person = newId(random);
  const first = makeFirstSet(
    {
      nonce: newId(random),
      now: Date.now(),
      person: { id: person, name: 'ana', keyName: 'laptop' },
      authorities: [Buffer.from('a root').toString('base64')],
    },
    signer,
  );
  const sets = startSets(first.envelope);
  const folder = await mkdtemp(join(tmpdir(), 'writ-withdrawals-'));
  const place = {
    path: join(folder, 'withdrawals'),
    sets: () => sets,
    now: () => Date.now(),
    onKept: () => undefined,
    log: () => undefined,
  };
  try {
    const order = `sha256:${'0'.repeat(64)}`;
    const make = (index: number) =>
      makeWithdrawal({ cluster: sets.cluster, order, indexes: [index], person, now: Date.now() }, signer);
    const one = make(1);
    const kept = await openWithdrawals(place);
    for (const { envelope } of [one, one, make(2), one]) assert.ok(await kept.take(envelope));
    assert.equal((JSON.parse(await readFile(place.path, 'utf8')) as unknown[]).length, 2);
    const again = await openWithdrawals(place);
    assert.deepEqual(
      [1, 2, 3].map((index) => again.holds(order, index, person)),
      [true, true, false],
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
