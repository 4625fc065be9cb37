import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BOUNDS, isAboutTheAgent, PAYLOAD_TYPES } from '@writ/contract';
import type { Order, SignerSet } from '@writ/contract';
import { seal } from '../envelope/seal.ts';
import { judgeInvite, makeInvite } from '../admission/invite.ts';
import { newSeed, signerFromSeed } from '../keys.ts';
import { judgeFreshness, makeFreshness } from '../signer-set/freshness.ts';
import { followSet } from '../signer-set/follow-sets.ts';
import { setRef } from '../signer-set/held-sets.ts';
import { makeOrder, makeWorld, NOW, random } from '../testing/world.ts';
import { TrustError } from '../trust-error.ts';
import {
  checkFreshness,
  checkGrants,
  checkMachine,
  checkSetNamed,
  checkSound,
  checkTimes,
  chooseProfile,
  chooseVariant,
} from './check-order.ts';
import type { MachineFacts } from './check-order.ts';
import { judgeReplay } from './judge-replay.ts';
import type { StartRecord } from './judge-replay.ts';
import { openOrder, signOrder } from './open-order.ts';
import { isWithdrawn, judgeWithdrawal, makeWithdrawal } from './withdrawal.ts';

const world = makeWorld();
const { sets, signer, person, admitted } = world;
const stranger = signerFromSeed(newSeed(random));
const code = (expected: string) => (error: unknown) => error instanceof TrustError && error.code === expected;
const open = (changes: Partial<Order> = {}, key = signer) =>
  openOrder(signOrder(makeOrder(world, changes), key).envelope, sets);
const [ana] = sets.newest.set.persons;

/** The sets after a change that ana makes. */
function change(changes: Partial<SignerSet>) {
  const { nonce: _nonce, ...rest } = sets.newest.set as SignerSet & { nonce?: string };
  return followSet(
    sets,
    seal(
      PAYLOAD_TYPES.signerSet,
      { ...rest, cluster: sets.cluster, version: 2, previous: sets.newest.digest, ...changes },
      [signer],
    ).envelope,
  );
}
/** A second person of whom ana says these things. */
function withBob(key: object, grants: object = {}) {
  const bob = { id: 'baaaaaaaaaaaaaaaaaaaaaaaaa', signer: signerFromSeed(newSeed(random)) };
  const entry = { ...ana!.keys[0]!, key: bob.signer.key, ...key };
  const sets2 = change({
    persons: [
      ana!,
      {
        ...ana!,
        id: bob.id,
        name: 'bob',
        keys: [entry],
        grants: { ...ana!.grants, order: { ...ana!.grants.order!, ...grants } },
      },
    ],
  });
  const order = (changes: Partial<Order> = {}) =>
    signOrder(makeOrder({ sets: sets2, person: bob.id, signer: bob.signer }, changes), bob.signer).envelope;
  return { sets: sets2, order, bob };
}

describe('who signed', () => {
  test('an order of a signer opens', () => assert.equal(open().person.name, 'ana'));
  test('an order of a stranger is refused by name of the key', () => {
    assert.throws(
      () => open({ key: stranger.key }, stranger),
      (error) => code('order.signer_unknown')(error) && (error as Error).message.includes(stranger.key),
    );
  });
  test('an order that names another key than the one that signed is refused', () => {
    assert.throws(() => open({ key: stranger.key }), code('order.signer_unknown'));
    const { sets: two, bob, order } = withBob({});
    openOrder(order(), two);
    const stolen = signOrder(makeOrder({ sets: two, person: bob.id, signer: bob.signer }), signer).envelope;
    assert.throws(() => openOrder(stolen, two), code('order.signature_bad'));
  });
  test('an order in the name of another person is refused', () => {
    const { sets: two, bob } = withBob({});
    const order = signOrder(makeOrder({ sets: two, person, signer: bob.signer }), bob.signer).envelope;
    assert.throws(() => openOrder(order, two), code('order.signer_unknown'));
  });
  test('compromised, retired, expired and foreign keys are refused by their own code', () => {
    const cases = [
      [{ ended: { is: 'compromised', since: NOW, kept: [], running: 'stop' } }, 'order.key_compromised'],
      [{ ended: { is: 'retired', since: NOW - 1 } }, 'order.key_retired'],
      [{ ended: { is: 'retired', since: NOW + 1 } }, 'order.key_retired'],
      [{ until: NOW - 1 }, 'order.key_expired'],
      [{ form: 'sshsig' }, 'order.form_wrong'],
    ] as const;
    for (const [key, expected] of cases) {
      const { sets: two, order } = withBob(key);
      assert.throws(() => openOrder(order(), two), code(expected));
    }
  });
  test('a retired key counts for what it signed before, which names an older set', () => {
    const { sets: two, order } = withBob({});
    const [, bob] = two.newest.set.persons;
    const retired = (since: number) => {
      const persons = [ana!, { ...bob!, keys: [{ ...bob!.keys[0]!, ended: { is: 'retired', since } }] }];
      return followSet(
        two,
        seal(
          PAYLOAD_TYPES.signerSet,
          { ...two.newest.set, version: 3, previous: two.newest.digest, persons },
          [signer],
        ).envelope,
      );
    };
    openOrder(order(), retired(NOW + 1));
    assert.throws(() => openOrder(order(), retired(NOW - 1)), code('order.key_retired'));
    const three = retired(NOW + 1);
    assert.throws(() => openOrder(order({ set: setRef(three.newest) }), three), code('order.key_retired'));
  });
  test('an order of a format that a newer program writes is refused as such, not as malformed', () => {
    const newer = seal(PAYLOAD_TYPES.order, { ...makeOrder(world), format: 2, extra: true }, [
      signer,
    ]).envelope;
    assert.throws(() => openOrder(newer, sets), code('order.format_unknown'));
    assert.ok(isAboutTheAgent('order.format_unknown'), 'another agent may be newer');
  });
  test('a queue that asks for two persons gets two, and only those named', () => {
    const { sets: two, bob } = withBob({});
    const ruled = followSet(
      two,
      seal(
        PAYLOAD_TYPES.signerSet,
        {
          ...two.newest.set,
          version: 3,
          previous: two.newest.digest,
          queueRules: [{ queue: 'default', persons: 2 }],
        },
        [signer],
      ).envelope,
    );
    const cosigners = [{ person: bob.id, key: bob.signer.key }];
    const order = (changes: Partial<Order>) => makeOrder({ ...world, sets: ruled }, changes);
    const signed = (value: Order, signers: (typeof signer)[]) =>
      seal(PAYLOAD_TYPES.order, value, signers).envelope;
    openOrder(signed(order({ cosigners }), [signer, bob.signer]), ruled);
    const inAnotherName = [{ person, key: bob.signer.key }];
    assert.throws(
      () => openOrder(signed(order({ cosigners: inAnotherName }), [signer, bob.signer]), ruled),
      code('order.signer_unknown'),
    );
    assert.throws(() => openOrder(signed(order({}), [signer]), ruled), code('order.cosigner_missing'));
    assert.throws(
      () => openOrder(signed(order({ cosigners }), [signer]), ruled),
      code('order.cosigner_missing'),
    );
    for (const [changes, grants, expected] of [
      [{ custody: 'server' }, {}, 'grant.custody'],
      [{}, { queues: ['other'] }, 'grant.queue'],
    ] as const) {
      const worthless = withBob(changes, grants);
      const value = makeOrder(
        { ...world, sets: worthless.sets },
        { cosigners: [{ person: bob.id, key: worthless.bob.signer.key }] },
      );
      assert.throws(
        () => openOrder(signed(value, [signer, worthless.bob.signer]), worthless.sets),
        code(expected),
      );
    }
    assert.throws(
      () => openOrder(signed(order({}), [signer, bob.signer]), ruled),
      code('order.signature_unexpected'),
    );
  });
});

test('an order of another cluster is refused', () => {
  assert.throws(() => open({ cluster: makeWorld().sets.cluster }), code('order.cluster_other'));
});

test('an order that names a newer set, or another one, is not started', () => {
  const { sets: two, order } = withBob({});
  const opened = openOrder(order(), two);
  checkSetNamed(opened, two);
  assert.throws(() => checkSetNamed(opened, sets), code('order.set_unknown'));
  const forked = change({ time: NOW + 5 });
  assert.throws(() => checkSetNamed(opened, forked), code('order.set_fork'));
});

test('an agent that no changer has spoken to for too long starts nothing, and says who must', () => {
  checkFreshness(sets, NOW, NOW + 30 * 86_400_000);
  assert.throws(
    () => checkFreshness(sets, NOW, NOW + 30 * 86_400_000 + 1),
    (error) => code('set.stale')(error) && (error as Error).message.includes('ana'),
  );
});

describe('grants', () => {
  const cases: [object, Partial<Order>, string][] = [
    [{ queues: ['other'] }, {}, 'grant.queue'],
    [{ projects: [] }, {}, 'grant.project'],
    [{ profile: 'user' }, { profile: 'bare' }, 'grant.profile'],
    [{ network: false }, { network: true }, 'grant.network'],
    [{ runAs: [] }, { runAs: 'root' }, 'grant.run_as'],
    [{ raw: false }, {}, 'grant.definition'],
  ];
  for (const [grants, changes, expected] of cases) {
    test(`what is not granted is refused: ${expected}`, () => {
      const { sets: two, order } = withBob({}, grants);
      assert.throws(() => checkGrants(openOrder(order(changes), two), two), code(expected));
      const free = withBob({});
      checkGrants(openOrder(free.order(changes), free.sets), free.sets);
    });
  }
  test('who has no grant to order orders nothing', () => {
    const { nonce: _nonce, ...rest } = sets.newest.set as SignerSet & { nonce?: string };
    const mute = change({
      persons: rest.persons.map((one) => ({ ...one, grants: { ...one.grants, order: null } })),
    });
    const envelope = signOrder(makeOrder({ ...world, sets: mute }), signer).envelope;
    assert.throws(() => checkGrants(openOrder(envelope, mute), mute), code('grant.order'));
  });
  test('a definition runs for whom it is listed, until it is withdrawn', () => {
    const definition = sets.newest.digest;
    const runsOf = (digest: string): Order['runs'] => ({ is: 'definition', digest, parameters: [] });
    const { sets: two, order } = withBob({}, { definitions: [definition] });
    checkGrants(openOrder(order({ runs: runsOf(definition) }), two), two);
    const other = runsOf(`sha256:${'0'.repeat(64)}`);
    assert.throws(() => checkGrants(openOrder(order({ runs: other }), two), two), code('grant.definition'));
    const withdrawn = change({ definitionsWithdrawn: [definition] });
    const envelope = signOrder(
      makeOrder({ ...world, sets: withdrawn }, { runs: runsOf(definition) }),
      signer,
    ).envelope;
    assert.throws(() => checkGrants(openOrder(envelope, withdrawn), withdrawn), code('grant.definition'));
  });
  test('a key may have less than its person, and never more', () => {
    const all = ana!.grants.order!;
    for (const [grants, changes, expected] of cases) {
      const { sets: two, order } = withBob({ order: { ...all, ...grants } });
      assert.throws(() => checkGrants(openOrder(order(changes), two), two), code(expected));
      const more = withBob({ order: all }, grants);
      assert.throws(() => checkGrants(openOrder(more.order(changes), more.sets), more.sets), code(expected));
    }
  });
  test('where a touch is demanded a key that cannot be touched signs nothing', () => {
    const { sets: two } = withBob({});
    const [, bob] = two.newest.set.persons;
    const key = signerFromSeed(newSeed(random));
    const grants = { ...bob!.grants, touch: true };
    const carla = {
      ...bob!,
      id: 'caaaaaaaaaaaaaaaaaaaaaaaaa',
      name: 'carla',
      keys: [{ ...bob!.keys[0]!, key: key.key }],
      grants,
    };
    const held = change({ persons: [ana!, carla], changers: [ana!.id, carla.id] });
    const by = { person: carla.id, signer: key };
    const order = signOrder(makeOrder({ sets: held, ...by }), key).envelope;
    assert.throws(() => openOrder(order, held), code('order.form_wrong'));
    const wish = { role: 'agent', name: null, labels: [], queues: ['*'], addresses: ['h:1'] } as const;
    const invite = makeInvite(held, by, wish, NOW, random);
    assert.throws(() => judgeInvite(invite.envelope, held), code('invite.form_wrong'));
    assert.throws(
      () => judgeFreshness(makeFreshness(held, by, NOW).envelope, held),
      code('set.mark_refused'),
    );
    const set = { ...held.newest.set, version: 3, previous: held.newest.digest };
    const next = seal(PAYLOAD_TYPES.signerSet, set, [key]).envelope;
    assert.throws(() => followSet(held, next), code('set.signatures_short'));
  });
  test('a key that a page of the server can use signs nothing but the strictest', () => {
    const { sets: two, order } = withBob({ custody: 'browser' }, { queues: ['default'] });
    checkGrants(openOrder(order({ profile: 'strict' }), two), two);
    assert.throws(() => checkGrants(openOrder(order(), two), two), code('grant.custody'));
    assert.throws(
      () => checkGrants(openOrder(order({ profile: 'strict', network: true }), two), two),
      code('grant.custody'),
    );
  });
  test('a key that the server itself can use never signs a command', () => {
    const { sets: two, order } = withBob({ custody: 'server' }, { queues: ['default'] });
    assert.throws(
      () => checkGrants(openOrder(order({ profile: 'strict' }), two), two),
      code('grant.custody'),
    );
  });
  const runs: Order['runs'] = { is: 'definition', digest: sets.newest.digest, parameters: [] };
  test('all queues together do not name the one that a server may use, neither in a grant nor in an admission', () => {
    for (const custody of ['browser', 'server']) {
      const { sets: two, order } = withBob({ custody });
      assert.throws(
        () => checkGrants(openOrder(order({ profile: 'strict', runs }), two), two),
        code('grant.custody'),
      );
    }
    const { sets: two, order } = withBob({ custody: 'server' }, { queues: ['default'] });
    const opened = openOrder(order({ profile: 'strict', runs }), two);
    checkGrants(opened, two);
    const facts = {
      os: 'linux',
      arch: 'x64',
      host: 'h',
      cores: 1,
      memoryBytes: 2 ** 30,
      counters: [],
      profiles: [{ profile: 'strict' as const, network: false }],
    };
    assert.throws(() => checkMachine(opened, { ...facts, admitted }), code('machine.queue'));
    assert.throws(
      () => checkMachine(opened, { ...facts, admitted: { ...admitted, queues: ['default'] } }),
      code('definition.unavailable'),
    );
  });
});

describe('times', () => {
  const day = 86_400_000;
  const times = (changes: object = {}) => ({ now: NOW, purgedUpTo: 0, witnessed: 0, ...changes });
  test('an order starts between its ends, with five minutes for a slow clock', () => {
    checkTimes(open(), times());
    checkTimes(open(), times({ now: NOW - 300_000 }));
    checkTimes(open(), times({ now: NOW + day }));
    assert.throws(() => checkTimes(open(), times({ now: NOW - 300_001 })), code('order.not_yet'));
    assert.throws(() => checkTimes(open(), times({ now: NOW + day + 1 })), code('order.expired'));
    assert.throws(() => checkTimes(open({ notBefore: NOW + day / 2 }), times()), code('order.not_yet'));
  });
  test('an order for more than 31 days is refused, also when it begins late', () => {
    checkTimes(open({ notAfter: NOW + 31 * day }), times());
    assert.throws(() => checkTimes(open({ notAfter: NOW + 31 * day + 1 }), times()), code('order.too_long'));
    assert.throws(
      () => checkTimes(open({ notBefore: NOW + 20 * day, notAfter: NOW + 40 * day }), times()),
      code('order.too_long'),
    );
  });
  test('what may have been forgotten is refused whatever the clock says', () => {
    const order = open();
    assert.throws(
      () => checkTimes(order, times({ purgedUpTo: order.order.notAfter, now: 0 })),
      code('order.purged'),
    );
    checkTimes(order, times({ purgedUpTo: order.order.notAfter - 1 }));
  });
  test('a clock that was set back does not bring an expired order to life', () => {
    assert.throws(
      () => checkTimes(open(), times({ now: NOW, witnessed: NOW + day + 1 })),
      code('order.expired'),
    );
  });
});

describe('the machine', () => {
  const facts: MachineFacts = {
    os: 'linux',
    arch: 'x64',
    host: 'lab-02',
    cores: 4,
    memoryBytes: 8 * 2 ** 30,
    counters: [{ name: 'licence', amount: 2 }],
    admitted,
    profiles: [
      { profile: 'strict', network: false },
      { profile: 'user', network: false },
    ],
  };
  const clause = (changes: Partial<Order['machine']>): Partial<Order> => ({
    machine: { facts: [], labels: [], agents: [], excluded: [], notAdmitted: [], ...changes },
  });
  test('that has less than the order takes is refused, and the usual memory is never too much', () => {
    const { limits } = open().order;
    const asks = (changes: Partial<Order['limits']>, machine: Partial<MachineFacts> = {}) =>
      checkMachine(open({ limits: { ...limits, ...changes } }), { ...facts, ...machine });
    asks({ cpus: 4, memoryBytes: 8 * 2 ** 30, counters: [{ name: 'licence', amount: 2 }] });
    asks({}, { memoryBytes: 2 ** 28 });
    for (const changes of [
      { cpus: 5 },
      { memoryBytes: 8 * 2 ** 30 + 1 },
      { counters: [{ name: 'licence', amount: 3 }] },
      { counters: [{ name: 'device', amount: 1 }] },
    ])
      assert.throws(() => asks(changes), code('machine.resources'), JSON.stringify(changes));
    const twice = [
      { name: 'licence', amount: 1 },
      { name: 'licence', amount: 1 },
    ];
    assert.throws(
      () => checkSound(open({ limits: { ...limits, counters: twice } })),
      code('order.malformed'),
    );
  });
  test('that fits is taken', () => {
    checkMachine(open(), facts);
    checkMachine(
      open(
        clause({
          agents: [admitted.identity],
          labels: [{ name: 'gpu', value: null }],
          facts: [{ fact: 'os', is: 'linux' }],
        }),
      ),
      facts,
    );
  });
  const refusals: [string, Partial<Order>, Partial<MachineFacts>, string][] = [
    ['another named agent', clause({ agents: [stranger.key] }), {}, 'machine.not_named'],
    ['an exclusion', clause({ excluded: [admitted.identity] }), {}, 'machine.excluded'],
    ['a way of admission excluded', clause({ notAdmitted: ['invite'] }), {}, 'machine.excluded'],
    ['a label not admitted with', clause({ labels: [{ name: 'prod', value: null }] }), {}, 'machine.label'],
    ['a label of another value', clause({ labels: [{ name: 'gpu', value: 'a100' }] }), {}, 'machine.label'],
    ['another fact', clause({ facts: [{ fact: 'arch', is: 'arm64' }] }), {}, 'machine.fact'],
    [
      'more isolation than offered',
      { profile: 'strict' },
      { profiles: [{ profile: 'user', network: false }] },
      'machine.profile',
    ],
    ['nothing offered', {}, { profiles: [] }, 'machine.profile'],
    [
      'only bare offered and not asked for',
      {},
      { profiles: [{ profile: 'bare', network: true }] },
      'machine.profile',
    ],
    ['network that is not given', { network: true }, {}, 'machine.network'],
    [
      'a queue it was not admitted for',
      {},
      { admitted: { ...admitted, queues: ['other'] } },
      'machine.queue',
    ],
    ['another platform', {}, { os: 'plan9' }, 'machine.platform'],
  ];
  for (const [title, order, machine, expected] of refusals) {
    test(`${title} is refused: ${expected}`, () => {
      const platform = expected === 'machine.platform';
      const changes = platform
        ? {
            runs: {
              is: 'command' as const,
              variants: [
                { platform: { os: 'linux' as const, arch: null }, command: commandOf(makeOrder(world)) },
              ],
            },
          }
        : order;
      assert.throws(() => checkMachine(open(changes), { ...facts, ...machine }), code(expected));
    });
  }
  test('the strictest profile offered is used; bare only where order and owner both say so', () => {
    const all = {
      profiles: [
        { profile: 'strict', network: true },
        { profile: 'user', network: true },
        { profile: 'bare', network: true },
      ],
    } as const;
    assert.equal(chooseProfile(makeOrder(world, { profile: 'user' }), all), 'strict');
    assert.equal(chooseProfile(makeOrder(world, { profile: 'bare' }), all), 'bare');
    assert.equal(chooseProfile(makeOrder(world, { profile: 'bare' }), facts), 'strict');
  });
  test('the first variant that fits is taken, whoever asks for another', () => {
    const command = commandOf(makeOrder(world));
    const variant = (os: 'linux' | 'darwin' | null, word: string) => ({
      platform: { os, arch: null },
      command: { ...command, argv: [word] },
    });
    const order = makeOrder(world, {
      runs: {
        is: 'command',
        variants: [variant('darwin', 'mac'), variant('linux', 'first'), variant(null, 'second')],
      },
    });
    assert.deepEqual(chooseVariant(order, facts).variant.command.argv, ['first']);
    assert.equal(chooseVariant(order, { os: 'win32', arch: 'x64' }).index, 2);
  });
});

function commandOf(order: Order) {
  assert.ok(order.runs.is === 'command');
  return order.runs.variants[0]!.command;
}

test('orders that the shape lets pass and sense does not are refused', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  const withCommand = (changes: Partial<ReturnType<typeof commandOf>>): Partial<Order> => ({
    runs: {
      is: 'command',
      variants: [
        {
          platform: { os: null, arch: null },
          command: { ...commandOf(makeOrder(world)), ...changes },
        },
      ],
    },
  });
  const withFiles = (...paths: string[]): Partial<Order> =>
    withCommand({
      inputs: { is: 'list', files: paths.map((path) => ({ path, mode: 'file', digest, size: 0 })) },
    });
  checkSound(open(withFiles('a', 'ab', 'b/c', 'b/d')));
  assert.throws(() => checkSound(open(withFiles('a', 'a'))), code('input.malformed'));
  assert.throws(() => checkSound(open(withFiles('a/b', 'a'))), code('input.malformed'));
  const withMany = (files: number, size: number): Partial<Order> =>
    withCommand({ inputs: { is: 'manifest', digest, size, files, bytes: 0 } });
  checkSound(open(withMany(BOUNDS.inputFiles, BOUNDS.inputListBytes)));
  assert.throws(() => checkSound(open(withMany(BOUNDS.inputFiles + 1, 1000))), code('input.malformed'));
  assert.throws(() => checkSound(open(withMany(300, BOUNDS.inputListBytes + 1))), code('input.malformed'));
  assert.throws(() => checkSound(open({ array: { is: 'range', from: 5, to: 4 } })), code('order.malformed'));
  assert.throws(() => checkSound(open({ notAfter: NOW })), code('order.malformed'));
  assert.throws(() => checkSound(open({ runAs: 'builder' })), code('order.malformed'));
  checkSound(open({ outputs: { patterns: ['r/**', '*.{csv,json}'], required: false } }));
  assert.throws(
    () => checkSound(open({ outputs: { patterns: ['ok', '+(+(a)|a)b'], required: false } })),
    code('order.malformed'),
  );
  assert.throws(
    () => checkSound(open({ runs: { is: 'definition', digest, parameters: [] } })),
    code('definition.unavailable'),
  );
  const rule = { rule: '0 8 * * *', zone: 'UTC', until: NOW + 1, windowSeconds: 60 };
  assert.throws(
    () => checkSound(open({ array: { is: 'schedule', ...rule } })),
    (error) => code('order.malformed')(error) && (error as Error).message.includes('schedules'),
  );
  const twice = [
    { name: 'A', value: '1' },
    { name: 'A', value: '2' },
  ];
  assert.throws(() => checkSound(open(withCommand({ variables: twice }))), code('order.malformed'));
  const secrets = [{ name: 'token', minVersion: 1, setters: [person] }];
  assert.throws(() => checkSound(open(withCommand({ secrets }))), code('secret.unavailable'));
});

describe('replay', () => {
  const order = makeOrder(world, { array: { is: 'range', from: 1, to: 3 }, maxAttempts: 3 });
  const digest = signOrder(order, signer).digest;
  const before = (changes: Partial<StartRecord> = {}): StartRecord => ({
    order: digest,
    highestAttempt: 1,
    last: 'ended',
    ...changes,
  });
  test('a first attempt starts, a later one too, the same one never again', () => {
    assert.equal(judgeReplay(order, digest, 1, 1, undefined), 'start');
    assert.equal(judgeReplay(order, digest, 1, 2, before()), 'start');
    assert.throws(() => judgeReplay(order, digest, 1, 1, before()), code('replay.attempt_used'));
    assert.throws(
      () => judgeReplay(order, digest, 1, 1, before({ highestAttempt: 2 })),
      code('replay.attempt_used'),
    );
  });
  test('after a success nothing starts: the old outcome is adopted', () =>
    assert.equal(judgeReplay(order, digest, 1, 2, before({ last: 'succeeded' })), 'adopt'));
  test('what still runs is not started beside itself', () =>
    assert.throws(
      () => judgeReplay(order, digest, 1, 2, before({ last: 'running' })),
      code('replay.running'),
    ));
  test('another order under the same job id is refused', () =>
    assert.throws(
      () => judgeReplay(order, digest, 1, 2, before({ order: sets.newest.digest })),
      code('replay.other_order'),
    ));
  test('indexes and attempts outside the order are refused', () => {
    for (const index of [0, 4, -1, 1.5])
      assert.throws(() => judgeReplay(order, digest, index, 1, undefined), code('order.index_out_of_range'));
    for (const attempt of [0, 4, 1.5, Number.NaN, 2 ** 53])
      assert.throws(
        () => judgeReplay(order, digest, 1, attempt, undefined),
        code('replay.attempt_out_of_range'),
      );
  });
  test('whatever a lying server asks in whatever order, one task starts at most max attempts times, rising, and never after success', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ attempt: fc.integer({ min: -1, max: 5 }), succeeds: fc.boolean() }), {
          maxLength: 30,
        }),
        (asks) => {
          let record: StartRecord | undefined;
          const starts: number[] = [];
          let hasSucceededBefore = false;
          for (const { attempt, succeeds } of asks) {
            try {
              if (judgeReplay(order, digest, 2, attempt, record) !== 'start') continue;
            } catch {
              continue;
            }
            assert.ok(!hasSucceededBefore, 'no start after success');
            starts.push(attempt);
            hasSucceededBefore = succeeds;
            record = { order: digest, highestAttempt: attempt, last: succeeds ? 'succeeded' : 'ended' };
          }
          assert.ok(starts.length <= order.maxAttempts);
          assert.deepEqual(
            starts,
            [...new Set(starts)].sort((a, b) => a - b),
          );
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('a withdrawal', () => {
  const wish = { cluster: sets.cluster, order: sets.newest.digest, indexes: [1, 2], person, now: NOW };
  test('by the submitter counts for the tasks that it names', () => {
    const withdrawal = judgeWithdrawal(makeWithdrawal(wish, signer).envelope, sets, () => true);
    assert.ok(
      isWithdrawn(withdrawal, sets.newest.digest, 1) && !isWithdrawn(withdrawal, sets.newest.digest, 3),
    );
  });
  test('is of this cluster, by one key of the person that it names', () => {
    const elsewhere = makeWithdrawal({ ...wish, cluster: makeWorld().sets.cluster }, signer).envelope;
    assert.throws(() => judgeWithdrawal(elsewhere, sets, () => true), code('withdrawal.cluster_other'));
    const { sets: two, bob } = withBob({});
    const inAnasName = makeWithdrawal(wish, bob.signer).envelope;
    assert.throws(() => judgeWithdrawal(inAnasName, two, () => true), code('withdrawal.signer_wrong'));
    const withdrawal = judgeWithdrawal(makeWithdrawal(wish, signer).envelope, two, () => true);
    const byTwo = seal(PAYLOAD_TYPES.withdrawal, withdrawal, [signer, bob.signer]).envelope;
    assert.throws(() => judgeWithdrawal(byTwo, two, () => true), code('withdrawal.signer_wrong'));
  });
  test('by a stranger, or by somebody without the grant, does not count', () => {
    assert.throws(
      () => judgeWithdrawal(makeWithdrawal(wish, stranger).envelope, sets, () => true),
      code('envelope.key_unknown'),
    );
    const bob = { id: 'baaaaaaaaaaaaaaaaaaaaaaaaa', signer: signerFromSeed(newSeed(random)) };
    const two = change({
      persons: [
        ana!,
        {
          ...ana!,
          id: bob.id,
          name: 'bob',
          keys: [{ ...ana!.keys[0]!, key: bob.signer.key }],
          grants: { ...ana!.grants, withdraw: false },
        },
      ],
    });
    const his = makeWithdrawal({ ...wish, person: bob.id }, bob.signer).envelope;
    assert.throws(() => judgeWithdrawal(his, two, () => false), code('withdrawal.not_granted'));
    judgeWithdrawal(his, two, () => true);
    for (const key of [
      { custody: 'browser' },
      { custody: 'server' },
      { form: 'sshsig' },
      { until: NOW - 1 },
    ]) {
      const weak = withBob(key);
      const theirs = makeWithdrawal({ ...wish, person: weak.bob.id }, weak.bob.signer).envelope;
      assert.throws(
        () => judgeWithdrawal(theirs, weak.sets, () => true),
        code('withdrawal.signer_wrong'),
        JSON.stringify(key),
      );
    }
  });
});
