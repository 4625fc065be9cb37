import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  addPerson,
  allSets,
  ALL_GRANTS,
  endKeys,
  findKey,
  followSet,
  makeFirstSet,
  meetSet,
  newId,
  newSeed,
  nextSet,
  setChangers,
  setFreshness,
  setRef,
  signerFromSeed,
  signSet,
  startSets,
} from '@writ/trust';
import type { HeldSets, KeyEnd, SetChange, Signer } from '@writ/trust';
import { followSigners } from './follow-signers.ts';
import { openSigners, storeSigners } from './signers/held-signers.ts';

const random = (bytes: Uint8Array<ArrayBuffer>): unknown => crypto.getRandomValues(bytes);
const now = Date.now();
const ana = { id: newId(random), name: 'ana', signer: signerFromSeed(newSeed(random)) };
const bob = { id: newId(random), name: 'bob', signer: signerFromSeed(newSeed(random)) };
const follow = (sets: HeldSets, signers: readonly Signer[], ...by: SetChange[]): HeldSets =>
  followSet(sets, signSet(nextSet(sets, now, ...by), signers).envelope);
const first = startSets(
  makeFirstSet(
    {
      nonce: newId(random),
      now,
      person: { id: ana.id, name: ana.name, keyName: 'laptop' },
      authorities: [Buffer.from('a root').toString('base64')],
    },
    ana.signer,
  ).envelope,
);
const entry = { name: 'pc', form: 'dsse', custody: 'own', until: null, order: null, ended: null } as const;
const both = follow(
  first,
  [ana.signer, bob.signer],
  addPerson({
    id: bob.id,
    name: bob.name,
    kind: 'person',
    keys: [{ ...entry, key: bob.signer.key }],
    grants: ALL_GRANTS,
  }),
  setChangers([ana.id, bob.id], 1),
);
const compromised: KeyEnd = { is: 'compromised', since: now, kept: [], running: 'stop' };
const withoutBob = follow(both, [ana.signer], endKeys(bob.id, compromised));
const withoutAna = follow(both, [bob.signer], endKeys(ana.id, compromised));

const folders: string[] = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A machine that holds some sets, and a server that shows what it has. */
async function agentWith(held: HeldSets, server: { sets: HeldSets }) {
  const folder = mkdtempSync(join(tmpdir(), 'writ-signers-'));
  folders.push(folder);
  await storeSigners(folder, held, now);
  const words: string[] = [];
  const fetched: number[] = [];
  const open = async () =>
    await openSigners(
      folder,
      held.cluster,
      () => now,
      (word) => words.push(word),
    );
  const signers = await open();
  const following = followSigners({
    signers,
    fetchSets: async (version) => {
      fetched.push(version);
      return { sets: allSets(server.sets, version), freshness: null };
    },
    witness: () => undefined,
    onFollowed: () => undefined,
    judgeOwn: () => undefined,
    tellSet: () => undefined,
    log: (word) => words.push(word),
  });
  return { signers, following, words, fetched, open };
}

describe('an agent between two signer sets of one version', () => {
  it('keeps its own, keeps the other as proof, and lets nothing count that either has removed', async () => {
    const server = { sets: withoutAna };
    const { signers, following, words, open } = await agentWith(withoutBob, server);
    await following.heardOf(setRef(withoutAna.newest));
    assert.deepEqual(signers.ref, setRef(withoutBob.newest));
    for (const { sets } of [signers, await open()]) {
      assert.deepEqual(
        sets.rivals.map(({ digest }) => digest),
        [withoutAna.newest.digest],
      );
      for (const { signer } of [ana, bob])
        assert.equal(findKey(sets.current, signer.key)?.entry.ended?.is, 'compromised');
    }
    assert.ok(words.includes('signers.fork'), words.join());
  });

  it('asks for all sets when one follows a branch that it does not hold, and goes over when that has won', async () => {
    const sawBoth = meetSet(withoutBob, withoutAna.newest.envelope).sets;
    const server = { sets: follow(sawBoth, [ana.signer], setFreshness(86_400)) };
    const { signers, following, fetched, open } = await agentWith(withoutAna, server);
    await following.heardOf(setRef(server.sets.newest));
    assert.deepEqual(fetched, [withoutAna.newest.set.version, 0]);
    assert.deepEqual(signers.ref, setRef(server.sets.newest));
    assert.deepEqual((await open()).sets.rivals, []);
    // What it holds it does not ask for again, whichever branch it was of.
    for (const held of [withoutAna, withoutBob, server.sets]) await following.heardOf(setRef(held.newest));
    assert.equal(fetched.length, 2);
  });

  it('stays where it is when a longer branch does not say that its own has lost', async () => {
    const server = {
      sets: follow(follow(withoutAna, [bob.signer], setFreshness(100)), [bob.signer], setFreshness(200)),
    };
    const { signers, following } = await agentWith(withoutBob, server);
    await following.heardOf(setRef(server.sets.newest));
    assert.deepEqual(signers.ref, setRef(withoutBob.newest));
    assert.equal(findKey(signers.sets.current, bob.signer.key)?.entry.ended?.is, 'compromised');
  });
});
