import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { PAYLOAD_TYPES } from '@writ/contract';
import type { SignerSet } from '@writ/contract';
import {
  followSet,
  makeFirstSet,
  newId,
  newSeed,
  seal,
  setRef,
  signerFromSeed,
  startSets,
} from '@writ/trust';
import type { HeldSets } from '@writ/trust';
import { openSigners, storeSigners } from './held-signers.ts';

const random = (bytes: Uint8Array<ArrayBuffer>): unknown => crypto.getRandomValues(bytes);
const signer = signerFromSeed(newSeed(random));
const now = Date.now();
const first = startSets(
  makeFirstSet(
    {
      nonce: newId(random),
      now,
      person: { id: newId(random), name: 'ana', keyName: 'laptop' },
      authorities: [Buffer.from('a root').toString('base64')],
    },
    signer,
  ).envelope,
);
const folder = mkdtempSync(join(tmpdir(), 'writ-signers-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function nextOf(sets: HeldSets): HeldSets {
  const { nonce: _nonce, ...rest } = sets.newest.set as SignerSet & { nonce?: string };
  const next = {
    ...rest,
    cluster: sets.cluster,
    version: sets.newest.set.version + 1,
    previous: sets.newest.digest,
  };
  return followSet(sets, seal(PAYLOAD_TYPES.signerSet, next, [signer]).envelope);
}

it('sets that are followed side by side never put an older one back', async () => {
  const sets = nextOf(nextOf(nextOf(first)));
  const later = sets.chain.slice(1).map(({ envelope }) => envelope);
  await storeSigners(folder, first, now);
  const open = () =>
    openSigners(
      folder,
      first.cluster,
      () => now,
      () => undefined,
    );
  const signers = await open();
  // As leases of several orders fetch them, each as it was at its time.
  await Promise.all([
    signers.follow(later.slice(0, 1)),
    signers.follow(later),
    signers.follow(later.slice(0, 2)),
  ]);
  assert.deepEqual(signers.ref, setRef(sets.newest));
  assert.deepEqual((await open()).ref, setRef(sets.newest));
});
