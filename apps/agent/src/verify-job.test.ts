import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { PAYLOAD_TYPES } from '@writ/contract';
import type { Envelope, Order, RefusalCode, SignerSet } from '@writ/contract';
import { seal, signerFromSeed, signOrder } from '@writ/trust';
import type { Admitted, HeldSets, StartRecord } from '@writ/trust';
import { makePaperCluster } from '../../../testkit/src/hostile-server.ts';
import type { PaperCluster } from '../../../testkit/src/hostile-server.ts';
import { asRefusal, verifyAtStart, verifyOrder, verifyTask } from './verify-job.ts';
import type { Judge, Lease, VerifiedOrder } from './verify-job.ts';

const DAY = 86_400_000;
const ME = signerFromSeed(new Uint8Array(32).fill(7));
const STRANGER = signerFromSeed(new Uint8Array(32).fill(9));
let cluster: PaperCluster;

before(async () => {
  cluster = await makePaperCluster();
});

/** What an attempt to start needs; a case spoils one thing, or several. */
interface Scene {
  order: Order;
  envelope: Envelope | undefined;
  lease: Lease;
  judge: Judge;
  before: StartRecord | undefined;
}

function makeScene(given: Parameters<PaperCluster['order']>[0] = {}): Scene {
  const { order, envelope, digest } = cluster.order(given);
  const admitted: Admitted = {
    identity: ME.key,
    name: 'lab-1',
    labels: [{ name: 'gpu', value: 'a100' }],
    queues: ['default'],
    how: 'invite',
    admitter: ME.key,
    digest: `sha256:${'1'.repeat(64)}`,
    invite: null,
    supersedes: null,
    time: 0,
    machine: { host: 'lab-1', os: 'linux', arch: 'x64', machineId: null },
  };
  return {
    order,
    envelope,
    lease: {
      is: 'lease',
      order: digest,
      identity: ME.key,
      job: order.job,
      at: 0,
      seconds: 30,
      tasks: [{ index: 0, attempt: 1, token: { epoch: 1, n: 1 } }],
    },
    judge: {
      identity: ME.key,
      sets: cluster.sets,
      newestWord: Date.now(),
      machine: {
        os: 'linux',
        arch: 'x64',
        host: 'lab-1',
        cores: 4,
        memoryBytes: 8 * 2 ** 30,
        counters: [],
        admitted,
        profiles: [
          { profile: 'strict', network: false },
          { profile: 'bare', network: false },
        ],
      },
      owner: { is: 'everyone' },
      now: Date.now(),
      purgedUpTo: 0,
      witnessed: 0,
      isWithdrawn: () => false,
    },
    before: undefined,
  };
}

/** The whole list for the first task of the lease. */
function decide(scene: Scene): 'start' | 'adopt' | RefusalCode {
  try {
    const verified = verifyOrder(scene.lease, scene.envelope, scene.judge);
    return verifyTask(verified, scene.lease.tasks[0]!, scene.judge, scene.before);
  } catch (error) {
    return asRefusal(error).code;
  }
}

/** Signs again what a case changed. */
function resign(scene: Scene, change: Partial<Order>, signer = cluster.person.signer): void {
  scene.order = { ...scene.order, ...change };
  const sealed = signOrder(scene.order, signer);
  scene.envelope = sealed.envelope;
  scene.lease = { ...scene.lease, order: sealed.digest, job: scene.order.job };
}

function withSet(scene: Scene, change: (set: SignerSet) => SignerSet): void {
  const { newest } = cluster.sets;
  const set = change(newest.set);
  const sets: HeldSets = { ...cluster.sets, newest: { ...newest, set }, current: set };
  scene.judge = { ...scene.judge, sets };
}

const grant = (scene: Scene, change: object): void =>
  withSet(scene, (set) => ({
    ...set,
    persons: set.persons.map((person) => ({
      ...person,
      grants: { ...person.grants, order: person.grants.order && { ...person.grants.order, ...change } },
    })),
  }));
const key = (scene: Scene, change: object): void =>
  withSet(scene, (set) => ({
    ...set,
    persons: set.persons.map((person) => ({
      ...person,
      keys: person.keys.map((entry) => ({ ...entry, ...change })),
    })),
  }));
const reorder = (scene: Scene, bytes: (text: string) => string): void => {
  const envelope = scene.envelope!;
  const payload = Buffer.from(bytes(Buffer.from(envelope.payload, 'base64').toString('utf8')));
  const sealed = seal(PAYLOAD_TYPES.order, JSON.parse(payload.toString('utf8')), [cluster.person.signer]);
  scene.envelope = sealed.envelope;
  scene.lease = { ...scene.lease, order: sealed.digest };
};
const judge = (scene: Scene, change: Partial<Judge>): void =>
  void (scene.judge = { ...scene.judge, ...change });
const task = (scene: Scene, change: object): void => {
  scene.lease = { ...scene.lease, tasks: [{ ...scene.lease.tasks[0]!, ...change }] };
};

/** In the order of the list: step, code, what is spoiled. */
const CASES: readonly (readonly [step: number, code: RefusalCode, spoil: (scene: Scene) => void])[] = [
  [1, 'lease.not_mine', (scene) => (scene.lease = { ...scene.lease, identity: STRANGER.key })],
  [1, 'lease.order_mismatch', (scene) => (scene.envelope = undefined)],
  [1, 'lease.order_mismatch', (scene) => (scene.envelope = cluster.order({}).envelope)],
  [2, 'order.envelope_bad', (scene) => (scene.envelope = { ...scene.envelope!, payload: 'no base64' })],
  [
    2,
    'order.envelope_bad',
    (scene) => (scene.envelope = { ...scene.envelope!, payload: '', signatures: [] }),
  ],
  [
    2,
    'order.type_wrong',
    (scene) => {
      const sealed = seal(PAYLOAD_TYPES.definition, scene.order, [cluster.person.signer]);
      scene.envelope = sealed.envelope;
      scene.lease = { ...scene.lease, order: sealed.digest };
    },
  ],
  [2, 'order.cluster_other', (scene) => resign(scene, { cluster: 'a'.repeat(52) })],
  [
    2,
    'order.malformed',
    (scene) => reorder(scene, (text) => text.replace('"queue"', '"mayRunTwice":true,"queue"')),
  ],
  [3, 'order.signer_unknown', (scene) => resign(scene, {}, STRANGER)],
  [
    3,
    'order.signature_bad',
    (scene) => {
      const [signature] = scene.envelope!.signatures;
      const sig = Buffer.from(signature!.sig, 'base64');
      sig[3] = sig[3]! ^ 1;
      scene.envelope = { ...scene.envelope!, signatures: [{ ...signature!, sig: sig.toString('base64') }] };
    },
  ],
  [3, 'order.key_compromised', (scene) => key(scene, { ended: { is: 'compromised', since: 0, kept: [] } })],
  [3, 'order.key_retired', (scene) => key(scene, { ended: { is: 'retired', since: 1 } })],
  [3, 'order.key_expired', (scene) => key(scene, { until: 1 })],
  [3, 'order.form_wrong', (scene) => key(scene, { form: 'sshsig' })],
  [
    3,
    'order.cosigner_missing',
    (scene) => withSet(scene, (set) => ({ ...set, queueRules: [{ queue: 'default', persons: 2 }] })),
  ],
  [
    4,
    'order.set_unknown',
    (scene) => resign(scene, { set: { version: 9, digest: `sha256:${'2'.repeat(64)}` } }),
  ],
  [
    4,
    'order.set_fork',
    (scene) => resign(scene, { set: { version: 1, digest: `sha256:${'2'.repeat(64)}` } }),
  ],
  [
    5,
    'set.stale',
    (scene) => {
      withSet(scene, (set) => ({ ...set, time: scene.judge.now - 40 * DAY }));
      judge(scene, { newestWord: scene.judge.now - 31 * DAY });
    },
  ],
  [
    6,
    'grant.order',
    (scene) =>
      withSet(scene, (set) => ({
        ...set,
        persons: set.persons.map((person) => ({ ...person, grants: { ...person.grants, order: null } })),
      })),
  ],
  [6, 'grant.queue', (scene) => grant(scene, { queues: ['other'] })],
  [6, 'grant.project', (scene) => grant(scene, { projects: [] })],
  [6, 'grant.profile', (scene) => grant(scene, { profile: 'strict' })],
  [
    6,
    'grant.network',
    (scene) => {
      grant(scene, { network: false });
      resign(scene, { network: true });
    },
  ],
  [2, 'order.malformed', (scene) => resign(scene, { runAs: 'root' })],
  [
    2,
    'order.malformed',
    (scene) => resign(scene, { outputs: { patterns: ['+(+(a)|a)b'], required: false } }),
  ],
  [6, 'grant.definition', (scene) => grant(scene, { raw: false })],
  [6, 'grant.custody', (scene) => key(scene, { custody: 'server' })],
  [7, 'order.purged', (scene) => judge(scene, { purgedUpTo: scene.order.notAfter })],
  [7, 'order.too_long', (scene) => resign(scene, { notAfter: scene.order.issued + 32 * DAY })],
  [
    7,
    'order.expired',
    (scene) => judge(scene, { now: scene.order.notAfter + 1, newestWord: scene.order.notAfter }),
  ],
  [7, 'order.expired', (scene) => judge(scene, { witnessed: scene.order.notAfter + 1 })],
  [
    7,
    'order.not_yet',
    (scene) => resign(scene, { notBefore: scene.judge.now + DAY, notAfter: scene.judge.now + 2 * DAY }),
  ],
  [8, 'machine.queue', (scene) => resign(scene, { queue: 'night' })],
  [
    8,
    'machine.not_named',
    (scene) => resign(scene, { machine: { ...scene.order.machine, agents: [STRANGER.key] } }),
  ],
  [
    8,
    'machine.excluded',
    (scene) => resign(scene, { machine: { ...scene.order.machine, excluded: [ME.key] } }),
  ],
  [
    8,
    'machine.excluded',
    (scene) => resign(scene, { machine: { ...scene.order.machine, notAdmitted: ['invite'] } }),
  ],
  [
    8,
    'machine.fact',
    (scene) => resign(scene, { machine: { ...scene.order.machine, facts: [{ fact: 'arch', is: 'arm64' }] } }),
  ],
  [
    8,
    'machine.label',
    (scene) =>
      resign(scene, { machine: { ...scene.order.machine, labels: [{ name: 'prod', value: null }] } }),
  ],
  [
    8,
    'machine.platform',
    (scene) => {
      const { runs } = scene.order;
      if (runs.is !== 'command') return;
      resign(scene, {
        runs: { ...runs, variants: [{ ...runs.variants[0]!, platform: { os: 'win32', arch: null } }] },
      });
    },
  ],
  [
    8,
    'machine.profile',
    (scene) => {
      judge(scene, { machine: { ...scene.judge.machine, profiles: [{ profile: 'bare', network: true }] } });
      resign(scene, { profile: 'user' });
    },
  ],
  [8, 'machine.network', (scene) => resign(scene, { network: true })],
  [10, 'order.withdrawn', (scene) => judge(scene, { isWithdrawn: (order) => order === scene.lease.order })],
  [11, 'order.index_out_of_range', (scene) => task(scene, { index: 1 })],
  [11, 'replay.attempt_out_of_range', (scene) => task(scene, { attempt: 4 })],
  [
    11,
    'replay.other_order',
    (scene) => (scene.before = { order: 'another', highestAttempt: 0, last: 'ended' }),
  ],
  [
    11,
    'replay.running',
    (scene) => (scene.before = { order: scene.lease.order, highestAttempt: 1, last: 'running' }),
  ],
  [
    11,
    'replay.attempt_used',
    (scene) => (scene.before = { order: scene.lease.order, highestAttempt: 1, last: 'ended' }),
  ],
];

describe('the checks before a start', () => {
  it('let an order pass in which nothing is wrong', () => {
    assert.equal(decide(makeScene()), 'start');
  });

  for (const [step, code, spoil] of CASES) {
    it(`refuse at step ${step} with ${code}`, () => {
      const scene = makeScene();
      spoil(scene);
      assert.equal(decide(scene), code);
    });
  }

  it('take the first fault of the list when there are several', () => {
    // From the last to the first: each one added must hide all that were there before.
    const spoils: readonly (readonly [RefusalCode, (scene: Scene) => void])[] = [
      [
        'replay.attempt_used',
        (scene) => (scene.before = { order: scene.lease.order, highestAttempt: 1, last: 'ended' }),
      ],
      ['order.withdrawn', (scene) => judge(scene, { isWithdrawn: () => true })],
      [
        'machine.not_named',
        (scene) =>
          judge(scene, {
            machine: { ...scene.judge.machine, admitted: { ...scene.judge.machine.admitted, queues: [] } },
          }),
      ],
      ['order.purged', (scene) => judge(scene, { purgedUpTo: scene.order.notAfter })],
      ['grant.queue', (scene) => grant(scene, { queues: [] })],
      [
        'set.stale',
        (scene) => {
          const { sets } = scene.judge;
          judge(scene, {
            newestWord: 0,
            sets: { ...sets, newest: { ...sets.newest, set: { ...sets.newest.set, time: 0 } } },
          });
        },
      ],
    ];
    const scene = makeScene();
    for (const [code, spoil] of spoils) {
      spoil(scene);
      const found = decide(scene);
      assert.equal(found, code === 'machine.not_named' ? 'machine.queue' : code);
    }
    scene.lease = { ...scene.lease, identity: STRANGER.key };
    assert.equal(decide(scene), 'lease.not_mine');
  });

  it('answer with adoption where it succeeded here before, whatever the attempt', () => {
    const scene = makeScene();
    scene.before = { order: scene.lease.order, highestAttempt: 2, last: 'succeeded' };
    assert.equal(decide(scene), 'adopt');
  });

  it('ignore what the lease says of the job', () => {
    const scene = makeScene();
    scene.lease = { ...scene.lease, job: cluster.order({}).order.job };
    assert.equal(decide(scene), 'lease.order_mismatch');
  });

  it('verify again under another signer set, and not under the same', () => {
    const scene = makeScene();
    const verified = verifyOrder(scene.lease, scene.envelope, scene.judge);
    assert.equal(verifyOrder(scene.lease, scene.envelope, scene.judge, verified), verified);
    key(scene, { ended: { is: 'compromised', since: 0, kept: [] } });
    const sets: HeldSets = {
      ...scene.judge.sets,
      current: { ...scene.judge.sets.current },
    };
    judge(scene, { sets });
    assert.throws(() => verifyOrder(scene.lease, scene.envelope, scene.judge, verified), {
      code: 'order.key_compromised',
    });
  });

  it('take the strictest profile offered, and bare only where order and owner both say so', () => {
    const profileOf = (floor: Order['profile'], offered: readonly Order['profile'][]): string => {
      const scene = makeScene({ profile: floor });
      judge(scene, {
        machine: {
          ...scene.judge.machine,
          profiles: offered.map((profile) => ({ profile, network: false })),
        },
      });
      return verifyOrder(scene.lease, scene.envelope, scene.judge).profile;
    };
    assert.equal(profileOf('user', ['strict', 'user']), 'strict');
    assert.equal(profileOf('bare', ['strict', 'user']), 'strict');
    assert.equal(profileOf('bare', ['strict', 'bare']), 'bare');
    assert.equal(profileOf('user', ['user', 'bare']), 'user');
  });
});

describe('the checks at the moment of the start', () => {
  const verifiedScene = (): { scene: Scene; verified: VerifiedOrder } => {
    const scene = makeScene();
    return { scene, verified: verifyOrder(scene.lease, scene.envelope, scene.judge) };
  };
  const spoiled: readonly (readonly [RefusalCode, (scene: Scene) => void])[] = [
    [
      'order.key_compromised',
      (scene) => {
        key(scene, { ended: { is: 'compromised', since: 0, kept: [] } });
        const { sets } = scene.judge;
        judge(scene, { sets: { ...sets, current: { ...sets.current } } });
      },
    ],
    [
      'set.stale',
      (scene) => {
        withSet(scene, (set) => ({ ...set, time: 0 }));
        judge(scene, { newestWord: 0 });
      },
    ],
    [
      'order.expired',
      (scene) => judge(scene, { now: scene.order.notAfter + 1, newestWord: scene.order.notAfter }),
    ],
    ['order.withdrawn', (scene) => judge(scene, { isWithdrawn: () => true })],
  ];
  for (const [code, spoil] of spoiled) {
    it(`refuse with ${code} what has come up since the lease was verified`, () => {
      const { scene, verified } = verifiedScene();
      verifyAtStart(verified, scene.envelope!, 0, scene.judge);
      spoil(scene);
      assert.throws(() => verifyAtStart(verified, scene.envelope!, 0, scene.judge), { code });
    });
  }
});
