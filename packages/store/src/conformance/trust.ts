import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { By } from '../by.ts';
import type { NewInvite, NewLeaf, NewSet } from '../trust/trust.ts';
import type { MakeDatabase } from './database-under-test.ts';
import { at, digest, envelope, id, identity, newAdmission, newJob, withStore } from './samples.ts';

const newInvite = (name: string, other: Partial<NewInvite> = {}): NewInvite => ({
  digest: digest(`invite ${name}`),
  inviteKey: identity(`invite${name}`),
  role: 'agent',
  name: null,
  until: 1000,
  envelope: envelope(`invite ${name}`),
  ...other,
});
const newLeaf = (serial: string, previous: string | null, other: Partial<NewLeaf> = {}): NewLeaf => ({
  serial,
  identity: identity('one'),
  tlsKeyDigest: digest(`key ${serial}`),
  notBefore: 0,
  notAfter: 1000,
  previous,
  chain: ['AAAA', 'BBBB'],
  ...other,
});

export function testTrust(make: MakeDatabase): void {
  test(
    'a server belongs to one cluster for ever',
    withStore(make, async (store) => {
      const asked = {
        cluster: 'cluster',
        serverName: 'server',
        setDigest: digest('set 1'),
        set: envelope('set 1'),
        by: at(5),
      };
      assert.equal((await store.trust.claimCluster(asked)).is, 'same');
      const other = await store.trust.claimCluster({ ...asked, cluster: 'another' });
      assert.deepEqual([other.is, other.cluster.cluster], ['claimed_already', 'cluster']);
    }),
  );

  test(
    'of two signer sets after the same one the first counts, and a branch is taken whole or not at all',
    withStore(make, async (store) => {
      const set = (name: string, version: number) => ({
        version,
        digest: digest(name),
        envelope: envelope(name),
      });
      const add = (after: string, newest: NewSet, ...before: NewSet[]) =>
        store.trust.addSets({ after: digest(after), newest, before, by: at(5) });
      const first = 'set 1';
      assert.deepEqual(await Promise.all([add(first, set('a', 2)), add(first, set('b', 2))]), [
        'added',
        'conflict',
      ]);
      assert.equal(await add(first, set('a', 2)), 'same');
      assert.equal(await add(first, set('c', 3)), 'conflict', 'after an older one');
      assert.equal(await add(first, set('d', 3), set('b', 2)), 'conflict');
      assert.equal(await add('a', set('d', 3), set('b', 2)), 'added');
      assert.equal(await add('d', set('recovered', 9), set('b', 2)), 'added');
      assert.deepEqual(
        (await store.trust.listSets(1)).map(({ place, version }) => [place, version]),
        [
          [2, 2],
          [3, 2],
          [4, 3],
          [5, 9],
        ],
      );
      assert.equal((await store.trust.newestSet())?.digest, digest('recovered'));
    }),
  );

  test(
    'an older freshness mark does not replace a newer one',
    withStore(make, async (store) => {
      const leave = (time: number) =>
        store.trust.leaveFreshness({
          setVersion: 1,
          setDigest: digest('set 1'),
          time,
          envelope: envelope(`fresh ${time}`),
          by: at(5),
        });
      assert.deepEqual(
        [await leave(10), await leave(9), await leave(10), await leave(11)],
        ['newer', 'older', 'older', 'newer'],
      );
      assert.equal((await store.trust.readFreshness())?.time, 11);
    }),
  );

  test(
    'an invite admits one key, answers that key again, and raises an alarm at another',
    withStore(make, async (store) => {
      const invite = newInvite('a');
      assert.deepEqual(
        [await store.trust.addInvite(invite, at(5)), await store.trust.addInvite(invite, at(5))],
        ['added', 'same'],
      );
      assert.equal(
        await store.trust.addInvite(newInvite('b', { inviteKey: invite.inviteKey }), at(5)),
        'conflict',
      );
      const admissions = ['red', 'blue', 'green'].map((name) =>
        newAdmission(name, { invite: invite.digest }),
      );
      const answers = await Promise.all(admissions.map((admission) => store.trust.admit(admission, at(6))));
      assert.deepEqual(
        answers.map((answer) => answer.is),
        ['admitted', 'invite_used', 'invite_used'],
      );
      assert.equal(
        (await store.trust.admit(admissions[0]!, at(5000))).is,
        'same',
        'even after its end: the answer was lost',
      );
      assert.equal((await store.trust.findInvite(invite.inviteKey))?.admission, admissions[0]?.digest);
      assert.equal((await store.trust.findAgent('blue')) ?? null, null);
      const alarms = await store.audit.listRecords({ after: null, limit: 50, object: invite.digest });
      assert.equal(
        alarms.items.filter((record) => record.action === 'invite.second_key' && record.outcome === 'refused')
          .length,
        2,
      );
      assert.deepEqual((await store.trust.findAdmission(identity('red')))?.inviteEnvelope, invite.envelope);
    }),
  );

  test(
    'an invite that is over, revoked or unknown admits nobody',
    withStore(make, async (store) => {
      await store.trust.addInvite(newInvite('over'), at(5));
      await store.trust.addInvite(newInvite('revoked'), at(5));
      assert.equal(await store.trust.revokeInvite(digest('invite revoked'), at(6)), true);
      assert.equal(await store.trust.revokeInvite(digest('invite revoked'), at(6)), false);
      const admit = (name: string, now: number) =>
        store.trust
          .admit(newAdmission(name, { invite: digest(`invite ${name}`) }), at(now))
          .then((answer) => answer.is);
      assert.deepEqual(
        [await admit('over', 1000), await admit('revoked', 7), await admit('unheard', 7)],
        ['invite_over', 'invite_revoked', 'invite_unknown'],
      );
      assert.equal(
        (await store.trust.listAdmissions({ after: null, limit: 10 })).items.length,
        2,
        'those that were there before',
      );
    }),
  );

  test(
    'a name and an identity are taken once; joining again supersedes and ends the old identity',
    withStore(make, async (store) => {
      assert.equal((await store.trust.admit(newAdmission('three', { name: 'one' }), at(5))).is, 'name_taken');
      assert.equal(
        (await store.trust.admit(newAdmission('four', { identity: identity('one') }), at(5))).is,
        'identity_taken',
      );
      assert.equal(
        (await store.trust.admit(newAdmission('five', { supersedes: digest('nothing') }), at(5))).is,
        'supersedes_unknown',
      );
      await store.trust.addLeaf(newLeaf('aa', null), at(5));
      const again = newAdmission('again', { name: 'one', supersedes: digest('admission one') });
      assert.equal((await store.trust.admit(again, at(6))).is, 'admitted');
      assert.equal((await store.trust.readAdmission(digest('admission one')))?.supersededBy, again.digest);
      assert.equal((await store.trust.findAgent('one'))?.identity, identity('again'));
      assert.equal((await store.trust.readAgent(identity('one')))?.state, 'evicted');
      assert.equal((await store.trust.readLeaf('aa'))?.state, 'revoked');
    }),
  );

  test(
    'a ban can be lifted, an eviction not; an evicted name is free, its identity is not',
    withStore(make, async (store) => {
      const set = (state: 'active' | 'banned' | 'evicted') =>
        store.trust.setAgentState(identity('one'), state, 'noise', at(5));
      assert.equal(await set('banned'), true);
      assert.deepEqual(await store.trust.listStopped(), [{ identity: identity('one'), state: 'banned' }]);
      assert.equal(await set('active'), true);
      assert.equal(await set('evicted'), true);
      assert.equal(await set('active'), false);
      assert.equal(
        (await store.trust.admit(newAdmission('one', { digest: digest('once more') }), at(6))).is,
        'identity_taken',
      );
      assert.equal((await store.trust.admit(newAdmission('heir', { name: 'one' }), at(6))).is, 'admitted');
      assert.deepEqual(
        (await store.trust.listAgents({ after: null, limit: 10 })).items.map((agent) => agent.identity),
        [identity('heir'), identity('two')],
      );
    }),
  );

  test(
    'a leaf follows the active one; the same request again gets the same leaf',
    withStore(make, async (store) => {
      const add = (leaf: NewLeaf, by: By = at(5)) =>
        store.trust.addLeaf(leaf, by).then((answer) => answer.is);
      assert.equal(await add(newLeaf('aa', null)), 'added');
      assert.equal(await add(newLeaf('ab', null)), 'stale', 'there is a valid one');
      assert.equal(await add(newLeaf('bb', 'aa')), 'added');
      const lost = await store.trust.addLeaf(newLeaf('cc', 'aa', { tlsKeyDigest: digest('key bb') }), at(6));
      assert.deepEqual([lost.is, lost.is === 'same' && lost.leaf.serial], ['same', 'bb']);
      assert.equal(await add(newLeaf('dd', 'aa')), 'stale');
      assert.equal(await add(newLeaf('ee', null), at(1000)), 'added', 'the active one is over');
      assert.equal((await store.trust.activeLeaf(identity('one')))?.serial, 'ee');
      assert.equal((await store.trust.readLeaf('bb'))?.state, 'replaced');
    }),
  );

  test(
    'a leaf that was given while the clock was ahead is continued by the same request when it is right again',
    withStore(make, async (store) => {
      const key = { tlsKeyDigest: digest('key ahead') };
      await store.trust.addLeaf(newLeaf('aa', null), at(5));
      await store.trust.addLeaf(newLeaf('bb', 'aa', { ...key, notBefore: 500, notAfter: 2000 }), at(500));
      const right = newLeaf('cc', 'aa', { ...key, notBefore: 9, notAfter: 1000 });
      assert.equal((await store.trust.addLeaf(right, at(10))).is, 'added');
      const again = await store.trust.addLeaf(newLeaf('dd', 'aa', key), at(11));
      assert.deepEqual([again.is, again.is === 'same' && again.leaf.serial], ['same', 'cc']);
      assert.equal((await store.trust.findLeaf({ ...right }))?.serial, 'cc');
      assert.equal((await store.trust.readLeaf('bb'))?.state, 'replaced');
    }),
  );

  test(
    'a leaf whose answer was lost, and which expired meanwhile, is continued by the same request and by no other',
    withStore(make, async (store) => {
      const add = (leaf: NewLeaf, by: By) => store.trust.addLeaf(leaf, by).then((answer) => answer.is);
      await add(newLeaf('aa', null), at(5));
      await add(newLeaf('bb', 'aa'), at(5));
      const later = { notAfter: 5000 };
      assert.equal(await add(newLeaf('cc', 'aa', later), at(1000)), 'stale', 'another key');
      const again = { ...later, tlsKeyDigest: digest('key bb') };
      assert.equal(await add(newLeaf('dd', 'aa', again), at(1000)), 'added');
      assert.equal((await store.trust.activeLeaf(identity('one')))?.serial, 'dd');
      assert.equal(await add(newLeaf('ee', 'aa', again), at(1001)), 'same');
    }),
  );

  test(
    'a file may be named only by a project that has shown it',
    withStore(make, async (store) => {
      const file = { digest: digest('bytes'), size: 5 };
      assert.equal(await store.files.addFile(file, 'ana', at(5)), 'added');
      assert.equal(await store.files.addFile(file, 'ana', at(6)), 'same');
      assert.equal(await store.files.addFile({ ...file, size: 6 }, 'bob', at(6)), 'conflict');
      assert.deepEqual(await store.files.listKnown([file.digest, digest('else')], 'bob'), []);
      assert.deepEqual(await store.files.listKnown([file.digest, digest('else')], 'ana'), [
        { ...file, lastUsed: 6 },
      ]);
      await store.files.useFiles(id('job'), [file.digest], 'output', at(7));
      assert.equal(await store.files.isUsedBy(id('job'), file.digest), false);
      await store.jobs.submit(newJob('job'), at(7));
      await store.files.useFiles(id('job'), [file.digest], 'output', at(8));
      assert.equal(await store.files.isUsedBy(id('job'), file.digest), true);
      assert.equal(await store.files.isInputOf(id('job'), file.digest), false);
      await store.files.useFiles(id('job'), [file.digest], 'input', at(9));
      await store.files.useFiles(id('job'), [file.digest], 'output', at(9));
      assert.equal(await store.files.isInputOf(id('job'), file.digest), true);
      assert.equal(await store.files.isUsedBy(id('other'), file.digest), false);
      assert.equal((await store.files.readFile(file.digest))?.lastUsed, 9);
    }),
  );

  test(
    'a token counts until it ends or is revoked, and its secret is nowhere in the database',
    withStore(make, async (store) => {
      const secret = new TextEncoder().encode('writ_secret');
      const token = {
        id: id('token'),
        name: 'ci',
        role: 'member' as const,
        person: id('ana'),
        expires: 1000,
      };
      assert.equal(await store.tokens.addToken(token, secret, at(5)), 'added');
      assert.equal((await store.tokens.findToken(secret, 999))?.id, token.id);
      assert.equal(await store.tokens.findToken(secret, 1000), null);
      assert.equal(await store.tokens.findToken(new TextEncoder().encode('writ_other'), 6), null);
      await store.tokens.markUsed(token.id, 7);
      assert.equal((await store.tokens.listTokens({ after: null, limit: 5 })).items[0]?.lastUsed, 7);
      assert.equal(await store.tokens.revokeToken(token.id, at(8)), true);
      assert.equal(await store.tokens.findToken(secret, 9), null);
      assert.equal(await store.tokens.revokeToken(token.id, at(8)), false);
      assert.doesNotMatch(
        JSON.stringify((await store.audit.listRecords({ after: null, limit: 50 })).items),
        /writ_secret/,
      );
    }),
  );
}
