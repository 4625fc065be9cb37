// needs: bubblewrap
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readAll, Submitter, type SubmittedJob } from '@writ/client';
import { PeopleFolder } from '@writ/client/node';
import type { JobView } from '@writ/contract';
import {
  addPerson,
  ALL_GRANTS,
  allSets,
  followSet,
  gatherSets,
  newId,
  newSeed,
  nextSet,
  setChangers,
  setFreshness,
  signerFromSeed,
  signSet,
  type HeldSets,
} from '@writ/trust';
import { startCluster, type Cluster } from '../testkit/src/start-cluster.ts';

const random = (bytes: Uint8Array<ArrayBuffer>): unknown => crypto.getRandomValues(bytes);
const OUT_MS = 5_000;

describe('who may order', { timeout: 240_000 }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster({ agents: [{ name: 'one', slots: 1 }] });
  });
  after(async () => {
    await cluster.stop();
  });

  const writ = async (...argv: string[]): Promise<string> => (await cluster.person.must(argv)).trim();
  const json = async (...argv: string[]): Promise<Record<string, unknown>> =>
    JSON.parse(await writ(...argv, '--json')) as Record<string, unknown>;
  const refused = async (code: string, argv: readonly string[], input = ''): Promise<string> => {
    const { exitCode, stderr } = await cluster.person.writ(argv, { input });
    assert.notEqual(exitCode, 0, `writ ${argv.join(' ')} went well`);
    assert.match(stderr, new RegExp(`\\[${code.replace('.', '\\.')}\\]`), stderr);
    return stderr;
  };
  const shownSets = async (): Promise<HeldSets> =>
    gatherSets((await cluster.client.readTrust()).sets, cluster.sets.cluster);
  const pins = (): PeopleFolder => new PeopleFolder(join(cluster.person.configuration, 'writ'));

  /** Somebody whose key ana has put into the set; with a program of their own. */
  async function addSomebody(name: string, mayChange = false) {
    const signer = signerFromSeed(newSeed(random));
    const person = newId(random);
    const key = { key: signer.key, name: `${name}-pc`, form: 'dsse', custody: 'own', until: null } as const;
    const sets = await shownSets();
    const next = nextSet(
      sets,
      Date.now(),
      addPerson({
        id: person,
        name,
        kind: 'person',
        keys: [{ ...key, order: null, ended: null }],
        grants: { ...ALL_GRANTS, admit: false },
      }),
      setChangers([...sets.current.changers, ...(mayChange ? [person] : [])], 1),
    );
    const { envelope } = signSet(next, [cluster.key.signer, ...(mayChange ? [signer] : [])]);
    await cluster.client.changeSet([envelope]);
    const submitter = new Submitter({
      client: cluster.client,
      sets: followSet(sets, envelope),
      person,
      signer,
    });
    return { name, person, signer, submitter };
  }
  const until = async (job: SubmittedJob, is: (view: JobView) => boolean): Promise<JobView> => {
    for (;;) {
      const view = await cluster.client.readJob(job.id);
      if (is(view)) return view;
      await sleep(20);
    }
  };
  const isRunning = async (job: SubmittedJob) => await until(job, ({ counts }) => counts.running > 0);
  const endOf = async (job: SubmittedJob) => (await until(job, ({ ended }) => ended !== null)).state;

  test('is shown by name, with keys and rights and every version', async () => {
    const { signers, version, hasRecovery } = await json('signer', 'list');
    assert.equal(version, 1);
    assert.equal(hasRecovery, false);
    const [ana] = signers as { name: string; isChanger: boolean; keys: { key: string }[] }[];
    assert.equal(ana?.isChanger, true);
    assert.equal(ana?.keys[0]?.key, cluster.key.signer.key);
    await addSomebody('dora');
    assert.match(await writ('signer', 'show', 'dora'), /dora-pc/);
    const { versions } = (await json('signer', 'history')) as {
      versions: { version: number; signedBy: string; changes: string[] }[];
    };
    assert.deepEqual(
      versions.map(({ version: at, changes }) => [at, changes.join('; ')]),
      [
        [1, 'the first'],
        [2, 'adds dora'],
      ],
    );
    await refused('selector.none', ['signer', 'show', 'nobody']);
  });

  test('whose key is compromised is out within five seconds: what runs ends, what waits does not start, nothing new is taken', async () => {
    const bob = await addSomebody('bob');
    const running = await bob.submitter.submit({ argv: ['sleep', '120'] });
    await isRunning(running);
    const waiting = await bob.submitter.submit({ argv: ['true'] });
    const started = Date.now();
    await writ('signer', 'remove', 'bob', '--compromised', '--yes');
    const answered = Date.now();
    await endOf(running);
    const took = Date.now() - answered;
    assert.ok(took < OUT_MS, `${took} ms after the answer, ${Date.now() - started} after the question`);
    await endOf(waiting);
    const receipts = await readAll((asked) => cluster.client.listReceipts(waiting.id, asked));
    assert.ok(
      receipts.every(({ isAccepted, envelope }) => !isAccepted || kindOf(envelope.payload) === 'refused'),
      'it ran',
    );
    await assert.rejects(bob.submitter.submit({ argv: ['true'] }), /compromised/);
    assert.match(await writ('signer', 'list'), /bob\tremoved, compromised\t0/);
    await refused('selector.none', ['signer', 'remove', 'bob', '--yes']);
  });

  test('who is compromised with --let-run: what has started finishes, and nothing else starts', async () => {
    const eve = await addSomebody('eve');
    const running = await eve.submitter.submit({ argv: ['sleep', '3'] });
    await isRunning(running);
    await writ('signer', 'remove', 'eve', '--compromised', '--let-run', '--yes');
    assert.equal(await endOf(running), 'succeeded');
    await refused('usage.option', ['signer', 'remove', 'dora', '--let-run', '--yes']);
  });

  test('who is retired: what was ordered before still runs, what is ordered later does not', async () => {
    const fred = await addSomebody('fred');
    const block = await fred.submitter.submit({ argv: ['sleep', '2'] });
    const waiting = await fred.submitter.submit({ argv: ['true'] });
    await isRunning(block);
    await writ('signer', 'remove', 'fred', '--yes');
    assert.equal(await endOf(waiting), 'succeeded');
    await assert.rejects(fred.submitter.submit({ argv: ['true'] }), /retired/);
  });

  test('what was signed and of which no answer came is given again before anything else is signed', async () => {
    await refused('usage.input_needed', ['signer', 'remove', 'dora']);
    const { version: before } = await json('signer', 'list');
    const sign = async (days: number) => {
      const sets = await shownSets();
      const { envelope } = signSet(nextSet(sets, Date.now(), setFreshness(86_400 * days)), [
        cluster.key.signer,
      ]);
      await pins().writeSigned(sets.cluster, envelope);
      return envelope;
    };
    // It came there.
    await cluster.client.changeSet([await sign(20)]);
    await writ('signer', 'remove', 'dora', '--yes');
    assert.equal((await json('signer', 'list'))['version'], Number(before) + 2);
    // It did not.
    await addSomebody('gail');
    await sign(25);
    await writ('signer', 'remove', 'gail', '--yes');
    assert.equal((await shownSets()).current.freshnessSeconds, 86_400 * 25);
    // It did not, and another one came first.
    await sign(30);
    await addSomebody('ines');
    await writ('signer', 'remove', 'ines', '--yes');
    assert.equal((await shownSets()).current.freshnessSeconds, 86_400 * 25);
    assert.equal(await pins().readSigned(cluster.sets.cluster), undefined);
    const { versions } = (await json('signer', 'history')) as { versions: { stands: string }[] };
    assert.ok(versions.every(({ stands }) => stands === 'holds'));
  });

  test('after two sets of one version nothing is changed until somebody says which one holds', async () => {
    const hank = await addSomebody('hank', true);
    await writ('signer', 'list');
    const sets = await shownSets();
    const theirs = signSet(nextSet(sets, Date.now(), setFreshness(86_400 * 40)), [hank.signer]).envelope;
    const mine = signSet(nextSet(sets, Date.now(), setFreshness(86_400 * 50)), [cluster.key.signer]).envelope;
    // The server has one, ana's program has seen the other.
    await cluster.client.changeSet([theirs]);
    await assert.rejects(cluster.client.changeSet([mine]), { code: 'conflict.set' });
    await pins().writeSets(followSet(sets, mine));
    const { stderr } = await cluster.person.writ(['signer', 'list']);
    assert.match(stderr, /two signer sets call themselves version/);
    await refused('signer.fork', ['signer', 'remove', 'hank', '--yes']);
    await refused('usage.input_needed', ['signer', 'settle']);
    await writ('signer', 'settle', '--yes');
    await refused('signer.no_fork', ['signer', 'settle', '--yes']);
    assert.equal((await shownSets()).rivals.length, 0);
    assert.equal((await shownSets()).current.freshnessSeconds, 86_400 * 50);
    // The agent held the other one, and goes on.
    assert.equal(await writ('run', '--', 'echo', 'settled'), 'settled');
    await writ('signer', 'remove', 'hank', '--yes');
  });

  test('words on paper bring back the right to change the set, whatever was signed with a stolen key', async () => {
    const [me] = (await shownSets()).current.persons;
    const name = me?.name ?? '';
    const recover = ['signer', 'recover', '-', '--yes', '--person', name, '--keep-agent', 'one'];
    const words = await writ('signer', 'recovery', '-q');
    assert.equal(words.split(' ').length, 24);
    await refused('usage.argument', ['signer', 'recovery']);
    await refused('usage.argument', ['signer', 'recover', 'abandon', '--yes']);
    await refused('signer.words_wrong', ['signer', 'recovery', '-'], words.replace(/^\w+/, 'zoo'));
    const stolen = cluster.key.signer;
    // A thief with ana's key makes himself the only one who changes the set.
    const thief = { id: newId(random), signer: signerFromSeed(newSeed(random)) };
    const sets = await shownSets();
    const key = { key: thief.signer.key, name: 'pc', form: 'dsse', custody: 'own', until: null } as const;
    const taken = nextSet(
      sets,
      Date.now(),
      addPerson({
        id: thief.id,
        name: 'thief',
        kind: 'person',
        keys: [{ ...key, order: null, ended: null }],
        grants: ALL_GRANTS,
      }),
      setChangers([thief.id], 1),
    );
    await cluster.client.changeSet([signSet(taken, [stolen, thief.signer]).envelope]);
    await refused('signer.not_changer', ['signer', 'remove', 'thief', '--yes']);
    const other = await refused('signer.words_other', recover, OTHER_WORDS);
    assert.match(other, /another recovery key/);
    await refused('usage.option', [...recover, '--after', '999'], words);
    await refused('selector.none', [...recover, '--keep-agent', 'two'], words);
    await cluster.person.must([...recover, '--after', String(sets.newest.set.version)], { input: words });
    const { signers } = (await json('signer', 'list')) as {
      signers: { name: string; isChanger: boolean; keys: { key: string; ended: { is: string } | null }[] }[];
    };
    const ana = signers.find((one) => one.name === name);
    assert.deepEqual(
      signers.filter(({ isChanger }) => isChanger).map((one) => one.name),
      [name],
    );
    assert.equal(ana?.keys.find((one) => one.key === stolen.key)?.ended?.is, 'compromised');
    // The key before is kept aside; the new one orders, the old one does not.
    assert.ok(
      readdirSync(join(cluster.person.configuration, 'writ', 'keys')).some((file) => file.includes('before')),
    );
    assert.equal(await writ('run', '--', 'echo', 'back'), 'back');
    const old = new Submitter({
      client: cluster.client,
      sets: await shownSets(),
      person: cluster.key.person,
      signer: stolen,
    });
    await assert.rejects(old.submit({ argv: ['true'] }), /compromised/);
    assert.equal(
      (await shownSets()).current.persons.some((one) => one.name === 'thief'),
      false,
    );
    const again = (await cluster.person.must(['signer', 'recovery', '-', '-q'], { input: words })).trim();
    assert.notEqual(again, words);
    await refused('signer.words_other', recover, words);
  });

  test('no secret words, and no key, are in what is kept beside keys', () => {
    const folder = join(cluster.person.configuration, 'writ', 'clusters', cluster.sets.cluster);
    const text = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
      .join('\n');
    assert.doesNotMatch(text, /"seed"|abandon/);
    assert.ok(allSets(cluster.sets).length > 0);
  });
});

const kindOf = (payload: string): unknown =>
  (JSON.parse(Buffer.from(payload, 'base64').toString()) as { predicate: { kind: unknown } }).predicate.kind;

/** Of an all-zero key. */
const OTHER_WORDS = `${'abandon '.repeat(23)}art`;
