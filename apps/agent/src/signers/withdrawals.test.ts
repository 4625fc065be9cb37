import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeWithdrawal, newId, signerFromSeed } from '@writ/trust';
import type { HeldSets } from '@writ/trust';
import { makePaperCluster } from '../../../../testkit/src/hostile-server.ts';
import type { PaperCluster } from '../../../../testkit/src/hostile-server.ts';
import { openWithdrawals } from './withdrawals.ts';

const base = mkdtempSync(join(tmpdir(), 'writ-withdrawals-'));
let cluster: PaperCluster;
let sets: HeldSets;
before(async () => {
  cluster = await makePaperCluster();
  const { newest } = cluster.sets;
  // Somebody who may submit, and may not withdraw for others.
  const persons = newest.set.persons.map((person) => ({
    ...person,
    grants: { ...person.grants, withdraw: false },
  }));
  sets = { ...cluster.sets, newest: { ...newest, set: { ...newest.set, persons } } };
});
after(() => rmSync(base, { recursive: true, force: true }));

const open = (name: string, held = sets) =>
  openWithdrawals({ path: join(base, name), sets: () => held, now: Date.now, log: () => undefined });
const withdraw = (order: string, indexes: number[] | null, signer = cluster.person.signer) =>
  makeWithdrawal(
    { cluster: cluster.sets.cluster, order, indexes, person: cluster.person.person, now: Date.now() },
    signer,
  ).envelope;

describe('withdrawals', () => {
  it('hold for the tasks they name, also after a restart, and when they come before their order', async () => {
    const { order, digest } = cluster.order({});
    await (await open('kept')).take(withdraw(digest, [2]));
    const again = await open('kept');
    assert.equal(again.holds(digest, 2, order.person), true);
    assert.equal(again.holds(digest, 3, order.person), false);
    assert.equal(again.holds(`sha256:${'0'.repeat(64)}`, 2, order.person), false);
  });

  it('of somebody else count only with the grant', async () => {
    const { digest } = cluster.order({});
    const other = newId((bytes) => crypto.getRandomValues(bytes));
    const without = await open('other');
    await without.take(withdraw(digest, null));
    assert.equal(without.holds(digest, 0, other), false);
    const granted = await open('other', cluster.sets);
    assert.equal(granted.holds(digest, 0, other), true);
  });

  it('that nobody of the signer set signed are not kept', async () => {
    const { order, digest } = cluster.order({});
    const kept = await open('forged');
    assert.equal(
      await kept.take(withdraw(digest, null, signerFromSeed(new Uint8Array(32).fill(4)))),
      undefined,
    );
    assert.equal(kept.holds(digest, 0, order.person), false);
  });
});
