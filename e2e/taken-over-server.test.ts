// needs: bubblewrap
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { readResults, readVerifiedJob, verifyAdmissions } from '@writ/client';
import {
  type Admission,
  type Bundle,
  encodeBase64,
  LINK_ROUTES,
  PAYLOAD_TYPES,
  type Envelope,
  type Order,
  type ReceiptPredicate,
  type RefusalCode,
} from '@writ/contract';
import {
  envelopeDigest,
  followSet,
  inviteSigner,
  makeAdmission,
  makeFreshness,
  makeInvite,
  makeReceipt,
  openReceipt,
  parseInvite,
  seal,
  setRef,
  signerFromSeed,
  signOrder,
  verifyBundle,
  type Admitted,
  type HeldSets,
  type Signer,
} from '@writ/trust';
import { digestOf } from '@writ/trust/digest';
import { readReceiptText } from '../packages/store/src/leases/receipt-text.ts';
import { startHostileServer, type HostileServer } from '../testkit/src/hostile-server.ts';
import { makeOrder, randomId, type TestPerson } from '../testkit/src/make-order.ts';
import type { Ended } from '../testkit/src/open-shell.ts';
import { startCluster, type AgentMember, type Cluster } from '../testkit/src/start-cluster.ts';
import { takeServer, type TakenServer } from '../testkit/src/take-over.ts';

// Root on the server's machine: all its keys, its database, its place on the network; against a real agent with its launcher.

/** What the thief tried, and how often a command began that no order allowed. */
const counted = { attempts: 0, refusals: 0, receiptsForged: 0 };

let cluster: Cluster;
let agent: AgentMember;
let folder: string;
let taken: TakenServer;
let hostile: HostileServer;
/** The genuine submitter, whose key is not on the server. */
let ana: TestPerson;
let admitted: Admitted;
let succeeded: string;
let failed: string;
/** Of the other agent. */
let otherJob: string;
/** Waits for an agent that there is not. */
let unfit: string;
let nextToken = 1000;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'writ-drill-'));
  // Jobs of any account write here that they began.
  chmodSync(folder, 0o711);
  writeFileSync(effectsFile(), '');
  chmodSync(effectsFile(), 0o622);
  cluster = await startCluster({
    agents: [
      { name: 'drill-one', slots: 2, profiles: ['bare'], labels: ['zone=one'] },
      { name: 'drill-two', profiles: ['bare'], labels: ['zone=two'] },
    ],
  });
  agent = cluster.agent('drill-one');
  ana = { id: cluster.key.person, signer: cluster.key.signer };
  succeeded = await run('drill-one', 'echo done', 0);
  failed = await run('drill-one', 'exit 3', 3);
  otherJob = await run('drill-two', 'echo other', 0);
  unfit = await submitUnfit();
  admitted = await readAdmitted(agent.identity);
  await cluster.agent('drill-two').stop();
  await cluster.server.stop();
  taken = await takeServer(cluster.server.folder, join(folder, 'taken'));
  hostile = await startHostileServer({
    cluster: taken,
    agentPort: cluster.server.agentPort,
    agentName: 'drill-one',
  });
  await hostile.hear('hello', () => true, 30_000);
});
after(async () => {
  await hostile?.close();
  await cluster?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

function effectsFile(): string {
  return join(folder, 'effects');
}
const effects = (): string[] => readFileSync(effectsFile(), 'utf8').split('\n').filter(Boolean);
/** A command that leaves a trace of having begun before it does anything else. */
const trace = (mark: string, then = 'true'): string[] => [
  '/bin/sh',
  '-c',
  `echo "${mark} $WRIT_INDEX $WRIT_ATTEMPT" >> ${effectsFile()}; ${then}`,
];
const startsOf = (mark: string): number =>
  effects().filter((line) => line === mark || line.startsWith(`${mark} `)).length;

async function run(name: string, then: string, exitCode: number): Promise<string> {
  const argv = [
    'run',
    '--json',
    '--profile',
    'bare',
    '--agent',
    name,
    '--',
    ...trace(`genuine-${name}`, then),
  ];
  const ended = await cluster.person.writ(argv);
  assert.equal(ended.exitCode, exitCode, ended.stderr);
  return (JSON.parse(ended.stdout.split('\n')[0] ?? '') as { job: string }).job;
}

async function submitUnfit(): Promise<string> {
  const argv = [
    'submit',
    '--quiet',
    '--profile',
    'bare',
    '--label',
    'zone=three',
    '--',
    ...trace('unwanted'),
  ];
  return (await cluster.person.must(argv)).trim();
}

async function readAdmitted(identity: string): Promise<Admitted> {
  const trust = await cluster.client.readTrust();
  const found = [...verifyAdmissions(cluster.sets, trust.admissions).values()].find(
    (one) => one.admitted.identity === identity,
  );
  assert.ok(found);
  return found.admitted;
}

/** What ana signs; the thief finds it in the database. */
function order(changes: Partial<Order> = {}, mark = 'unwanted', sets: HeldSets = cluster.sets): Order {
  return makeOrder(sets, ana, {
    profile: 'bare',
    runs: {
      is: 'command',
      variants: [
        {
          platform: { os: null, arch: null },
          command: { argv: trace(mark), variables: [], inputs: { is: 'list', files: [] }, secrets: [] },
        },
      ],
    },
    ...changes,
  });
}

interface Attempt {
  readonly envelope: Envelope;
  /** As the lease names it; by default the envelope's own. */
  readonly digest?: string;
  readonly job: string;
  readonly index?: number;
  readonly attempt?: number;
  readonly identity?: string;
  readonly expect: RefusalCode | 'adopted' | 'ended';
}

/** Sends order and lease, and waits for the receipt, which must be by the admitted identity key and say what is expected. */
async function offer(attempts: readonly Attempt[]): Promise<ReceiptPredicate[]> {
  const found: ReceiptPredicate[] = [];
  for (let at = 0; at < attempts.length; at += 50) {
    const sent = attempts.slice(at, at + 50).map((one) => ({ ...one, n: (nextToken += 1) }));
    for (const one of sent) {
      const digest = one.digest ?? digestOrZero(one.envelope);
      hostile.send({ is: 'order', digest, envelope: one.envelope });
      hostile.send({
        is: 'lease',
        order: digest,
        identity: one.identity ?? agent.identity,
        job: one.job,
        at: hostile.clock(),
        seconds: 30,
        tasks: [{ index: one.index ?? 0, attempt: one.attempt ?? 1, token: { epoch: 1, n: one.n } }],
      });
    }
    for (const one of sent) {
      counted.attempts += 1;
      const receipt = await hostile.receipt(({ token }) => token.n === one.n, 30_000);
      const envelope = hostile.envelopes[hostile.receipts.indexOf(receipt)];
      assert.ok(envelope);
      const { predicate } = openReceipt(envelope, cluster.sets.cluster, admitted);
      const { kind, because, detail } = predicate;
      const isRefusal = one.expect !== 'adopted' && one.expect !== 'ended';
      assert.equal(kind, isRefusal ? 'refused' : one.expect, `${because}: ${detail}`);
      if (isRefusal) {
        assert.equal(because, one.expect, detail);
        counted.refusals += 1;
      }
      found.push(predicate);
    }
  }
  return found;
}

function digestOrZero(envelope: Envelope): string {
  try {
    return envelopeDigest(envelope);
  } catch {
    return `sha256:${'0'.repeat(64)}`;
  }
}

const sealed = (value: Order, signer: Signer = ana.signer): Pick<Attempt, 'envelope' | 'job'> => ({
  envelope: signOrder(value, signer).envelope,
  job: value.job,
});

/** The same order with one thing in it changed. */
function alterations(genuine: Order): readonly (readonly [what: string, changed: Order])[] {
  const [variant] = genuine.runs.is === 'command' ? genuine.runs.variants : [];
  assert.ok(variant);
  const { command } = variant;
  const runs = (change: Partial<typeof command>): Partial<Order> => ({
    runs: { is: 'command', variants: [{ ...variant, command: { ...command, ...change } }] },
  });
  const [first, second] = command.inputs.is === 'list' ? command.inputs.files : [];
  assert.ok(first && second);
  const files = (...list: (typeof first)[]): Partial<Order> => runs({ inputs: { is: 'list', files: list } });
  const limits = (change: Partial<Order['limits']>): Partial<Order> => ({
    limits: { ...genuine.limits, ...change },
  });
  const machine = (change: Partial<Order['machine']>): Partial<Order> => ({
    machine: { ...genuine.machine, ...change },
  });
  const other = digestOf('other');
  const changes: Record<string, Partial<Order>> = {
    argv: runs({ argv: trace('unwanted', 'id') }),
    'one argument': runs({ argv: [...command.argv, 'more'] }),
    'a variable': runs({ variables: [{ name: 'A', value: 'c' }] }),
    'a variable more': runs({ variables: [...command.variables, { name: 'LD_PRELOAD', value: '/x.so' }] }),
    "an input's digest": files({ ...first, digest: other }, second),
    "an input's size": files({ ...first, size: first.size + 1 }, second),
    "an input's mode": files({ ...first, mode: 'executable' }, second),
    'paths of inputs swapped': files({ ...first, path: second.path }, { ...second, path: first.path }),
    'an input less': files(first),
    'an input more': files(first, second, { ...first, path: 'more' }),
    'outputs wanted': { outputs: { patterns: ['**'], required: false } },
    'the time limit': limits({ timeSeconds: 86_400 }),
    'the memory limit': limits({ memoryBytes: 2 ** 40 }),
    'the number of processes': limits({ pids: 100_000 }),
    'the disk': limits({ diskBytes: 2 ** 40 }),
    'the size of outputs': limits({ outputBytes: 2 ** 40 }),
    'the grace': limits({ cancelGraceSeconds: 3600 }),
    network: { network: true },
    'the account': { runAs: 'root' },
    'the agents named': machine({ agents: [agent.identity] }),
    'the labels': machine({ labels: [] }),
    'the exclusions': machine({ excluded: [] }),
    'the machine facts': machine({ facts: [] }),
    'the array': { array: { is: 'range', from: 0, to: 99 } },
    'the number of attempts': { maxAttempts: 100 },
    'what becomes of a failure': { retryOnFailure: !genuine.retryOnFailure },
    'its end': { notAfter: genuine.notAfter + 86_400_000 },
    'its beginning': { notBefore: genuine.issued - 1000 },
    'its time': { issued: genuine.issued - 1 },
    'the queue': { queue: 'other' },
    'the project': { project: 'other' },
    'the job': { job: randomId() },
    'the children': { children: { definitions: [other], count: 5, until: genuine.notAfter } },
  };
  return Object.entries(changes).map(([what, change]) => [what, { ...genuine, ...change }] as const);
}

const FILE_A = Buffer.from('first input\n');
const FILE_B = Buffer.from('other input\n');
const withInputs = (mark = 'unwanted'): Partial<Order> => ({
  runs: {
    is: 'command',
    variants: [
      {
        platform: { os: null, arch: null },
        command: {
          argv: trace(mark),
          variables: [{ name: 'A', value: 'b' }],
          inputs: {
            is: 'list',
            files: [
              { path: 'a.txt', mode: 'file', digest: digestOf(FILE_A), size: FILE_A.length },
              { path: 'b.txt', mode: 'file', digest: digestOf(FILE_B), size: FILE_B.length },
            ],
          },
          secrets: [],
        },
      },
    ],
  },
  machine: {
    facts: [{ fact: 'os', is: 'linux' }],
    labels: [{ name: 'zone', value: 'two' }],
    agents: [],
    excluded: [signerFromSeed(new Uint8Array(32).fill(3)).key],
    notAdmitted: [],
  },
});

describe('a server that was taken over', () => {
  test('starts what the person ordered: the harness sees starts', async () => {
    assert.equal(startsOf('genuine-drill-one'), 2);
    const [receipt] = await offer([{ ...sealed(order({}, 'control')), expect: 'ended' }]);
    assert.equal(receipt?.because, 'exit');
    assert.equal(startsOf('control'), 1);
  });

  test('cannot change one field of an order, whichever of its keys signs it', async () => {
    const genuine = order(withInputs());
    const { envelope } = signOrder(genuine, ana.signer);
    const attempts: Attempt[] = [];
    for (const [, changed] of alterations(genuine)) {
      const payload = signOrder(changed, ana.signer).envelope.payload;
      const { job } = changed;
      // With the genuine signature, and in the place of the genuine one.
      attempts.push({ job, expect: 'order.signature_bad', envelope: { ...envelope, payload } });
      attempts.push({
        job,
        expect: 'lease.order_mismatch',
        envelope: { ...envelope, payload },
        digest: envelopeDigest(envelope),
      });
      for (const signer of taken.keys.values()) {
        const own = signOrder({ ...changed, key: signer.key }, signer).envelope;
        attempts.push({ job, expect: 'order.signer_unknown', envelope: own });
        // Said to be by ana, in the hint and in the payload.
        const said = signOrder(changed, signer).envelope;
        const [signature] = said.signatures;
        assert.ok(signature);
        attempts.push({
          job,
          expect: 'order.signature_bad',
          envelope: { ...said, signatures: [{ ...signature, keyid: ana.signer.key }] },
        });
        attempts.push({
          job,
          expect: 'order.signer_unknown',
          envelope: { ...said, signatures: [...envelope.signatures, signature] },
        });
      }
    }
    // The last kind has ana's genuine signature too, over other bytes: refused as that.
    await offer(
      attempts.map((one) =>
        one.envelope.signatures.length > 1 ? { ...one, expect: 'order.signature_bad' } : one,
      ),
    );
    assert.equal(startsOf('unwanted'), 0);
  });

  test('cannot flip one bit of payload, type or signature', async () => {
    const genuine = order();
    const { envelope } = signOrder(genuine, ana.signer);
    const [signature] = envelope.signatures;
    assert.ok(signature);
    const flip = (text: string, at: number): string => {
      const bytes = Buffer.from(text, 'base64');
      const bit = (at * 7919) % (bytes.length * 8);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return encodeBase64(bytes);
    };
    const attempts = Array.from({ length: 150 }, (_, at): Attempt => {
      const changed =
        at % 2 === 0
          ? { ...envelope, payload: flip(envelope.payload, at) }
          : { ...envelope, signatures: [{ ...signature, sig: flip(signature.sig, at) }] };
      return { envelope: changed, job: genuine.job, expect: 'order.signature_bad' };
    });
    const types = ['definition', 'withdrawal', 'receipt', 'signerSet'] as const;
    for (const type of types)
      attempts.push({
        envelope: { ...envelope, payloadType: PAYLOAD_TYPES[type] },
        job: genuine.job,
        expect: 'order.type_wrong',
      });
    await offer(attempts);
    assert.equal(startsOf('unwanted'), 0);
  });

  test('cannot pass off as an order what somebody rightly signed as something else', async () => {
    const { job } = order();
    const objects: Envelope[] = [
      ...taken.sets.chain.map((held) => held.envelope),
      makeFreshness(taken.sets, { person: ana.id, signer: ana.signer }, Date.now()).envelope,
      ...hostile.envelopes.slice(0, 5),
    ];
    await offer(objects.map((envelope) => ({ envelope, job, expect: 'order.type_wrong' })));
    const odd = seal(PAYLOAD_TYPES.order, { ...order(), mayRunTwice: true }, [ana.signer]).envelope;
    const newer = seal(PAYLOAD_TYPES.order, { ...order(), format: 2 }, [ana.signer]).envelope;
    await offer([
      { envelope: odd, job, expect: 'order.malformed' },
      { envelope: newer, job, expect: 'order.format_unknown' },
    ]);
    const { links } = hostile;
    const digest = digestOf('no envelope');
    const other = [{ payload: 7 }, { and: 1 }, { signatures: [] }].map((change) => ({ ...odd, ...change }));
    const none: unknown[] = [null, 'order', 7, [], {}, ...other];
    await offer(
      none.map((envelope) => ({ envelope: envelope as Envelope, digest, job, expect: 'order.envelope_bad' })),
    );
    assert.equal(hostile.links, links, 'the link was kept');
    assert.equal(startsOf('unwanted'), 0);
  });

  test('cannot have an order run on a machine, under an isolation or at a time that it does not admit', async () => {
    const two = cluster.agent('drill-two').identity;
    const { machine } = order();
    const now = Date.now();
    const day = 86_400_000;
    const cases: readonly (readonly [RefusalCode, Partial<Order>])[] = [
      ['machine.not_named', { machine: { ...machine, agents: [two] } }],
      ['machine.excluded', { machine: { ...machine, excluded: [agent.identity] } }],
      ['machine.excluded', { machine: { ...machine, notAdmitted: ['invite'] } }],
      ['machine.label', { machine: { ...machine, labels: [{ name: 'zone', value: 'two' }] } }],
      ['machine.label', { machine: { ...machine, labels: [{ name: 'gpu', value: null }] } }],
      ['machine.fact', { machine: { ...machine, facts: [{ fact: 'arch', is: 'other' }] } }],
      ['machine.fact', { machine: { ...machine, facts: [{ fact: 'host', is: 'drill-two' }] } }],
      ['machine.profile', { profile: 'strict' }],
      ['machine.profile', { profile: 'user' }],
      ['order.expired', { issued: now - 2 * day, notAfter: now - day }],
      ['order.not_yet', { notBefore: now + day, notAfter: now + 2 * day }],
      ['order.not_yet', { issued: now + day, notAfter: now + 2 * day }],
      ['order.too_long', { notAfter: now + 32 * day }],
      ['order.set_unknown', { set: { version: 9, digest: digestOf('nine') } }],
      ['order.set_fork', { set: { version: 1, digest: digestOf('one') } }],
      ['order.cluster_other', { cluster: 'a'.repeat(52) }],
      ['order.malformed', { runAs: 'root' }],
      ['order.malformed', { array: { is: 'range', from: 5, to: 4 } }],
    ];
    for (const [expect, change] of cases) await offer([{ ...sealed(order(change)), expect }]);
    const waiting = taken.orders.get(unfit);
    assert.ok(waiting);
    await offer([{ envelope: waiting, job: unfit, expect: 'machine.label' }]);
    assert.equal(startsOf('unwanted'), 0);
  });

  test('cannot lease under another identity, job or index', async () => {
    const genuine = order();
    const two = cluster.agent('drill-two').identity;
    const one = sealed(genuine);
    await offer([
      { ...one, identity: two, expect: 'lease.not_mine' },
      { ...one, identity: signerFromSeed(new Uint8Array(32).fill(4)).key, expect: 'lease.not_mine' },
      { ...one, job: randomId(), expect: 'lease.order_mismatch' },
      { ...one, digest: digestOf('another'), expect: 'lease.order_mismatch' },
      ...[1, 2, 17, 999_999, 2 ** 40].map(
        (index) => ({ ...one, index, expect: 'order.index_out_of_range' }) as const,
      ),
      ...[4, 5, 50, 100].map(
        (attempt) => ({ ...one, attempt, expect: 'replay.attempt_out_of_range' }) as const,
      ),
    ]);
    assert.equal(startsOf('unwanted'), 0);
  });

  /** Attempts beyond what the order allows, as often as one likes. */
  const replay = async (what: string): Promise<void> => {
    const success = taken.orders.get(succeeded);
    const failure = taken.orders.get(failed);
    assert.ok(success && failure);
    const before = effects().length;
    for (const attempt of [1, 2, 3, 1])
      await offer([{ envelope: success, job: succeeded, attempt, expect: 'adopted' }]);
    await offer([
      { envelope: success, job: succeeded, attempt: 4, expect: 'replay.attempt_out_of_range' },
      { envelope: success, job: succeeded, index: 1, expect: 'order.index_out_of_range' },
      { envelope: failure, job: failed, attempt: 4, expect: 'replay.attempt_out_of_range' },
    ]);
    await offer([{ envelope: failure, job: failed, attempt: 1, expect: 'replay.attempt_used' }]);
    assert.equal(effects().length, before, what);
  };

  test('cannot have a task run again where it succeeded, nor an attempt twice', async () => {
    await replay('after the first runs');
  });

  test('cannot have it after the agent was stopped, nor after it was killed', async () => {
    await agent.stop();
    await reconnected(() => agent.start());
    await replay('after a restart');
    assert.ok(agent.kill() > 0);
    await reconnected(() => agent.start());
    await replay('after kill -9');
  });

  test('cannot go beyond the attempts that the order grants, in whatever order it offers them', async () => {
    const genuine = order({ maxAttempts: 3 }, 'limited');
    const envelope = signOrder(
      {
        ...genuine,
        runs: {
          is: 'command',
          variants: [
            {
              platform: { os: null, arch: null },
              command: {
                argv: trace('limited', 'exit 1'),
                variables: [],
                inputs: { is: 'list', files: [] },
                secrets: [],
              },
            },
          ],
        },
      },
      ana.signer,
    ).envelope;
    const { job } = genuine;
    await offer([{ envelope, job, attempt: 2, expect: 'ended' }]);
    for (const attempt of [1, 2, 1, 2])
      await offer([{ envelope, job, attempt, expect: 'replay.attempt_used' }]);
    await offer([{ envelope, job, attempt: 3, expect: 'ended' }]);
    for (const attempt of [1, 2, 3, 3, 2, 1])
      await offer([{ envelope, job, attempt, expect: 'replay.attempt_used' }]);
    assert.equal(startsOf('limited'), 2);
    // Another order under the same job id.
    await offer([{ ...sealed(order({ job })), expect: 'replay.other_order' }]);
    assert.equal(startsOf('unwanted'), 0);
  });

  test('cannot put other bytes in the place of inputs, and leaves none of them on the machine', async () => {
    const cache = join(agent.folder, 'agent', 'cache');
    const before = readdirSync(cache).toSorted();
    const { machine } = order();
    const swap = new Map([
      [digestOf(FILE_A), FILE_B],
      [digestOf(FILE_B), FILE_A],
    ]);
    const lies: readonly (readonly [RefusalCode, (honest: Buffer) => { status: number; body: Buffer }])[] = [
      ['input.digest_wrong', (honest) => ({ status: 200, body: swap.get(digestOf(honest)) ?? honest })],
      ['input.digest_wrong', (honest) => ({ status: 200, body: Buffer.concat([honest, Buffer.from('x')]) })],
      ['input.unavailable', (honest) => ({ status: 200, body: honest.subarray(1) })],
      ['input.unavailable', () => ({ status: 200, body: Buffer.alloc(0) })],
      ['input.unavailable', () => ({ status: 404, body: Buffer.from('{}') })],
    ];
    for (let at = 0; at < FILE_A.length; at += 1)
      await offerBytes('input.digest_wrong', (honest) => {
        const body = Buffer.from(honest);
        body[at] = (body[at] ?? 0) ^ 1;
        return { status: 200, body };
      });
    for (const [code, lie] of lies) await offerBytes(code, lie);
    hostile.answer = () => undefined;
    assert.deepEqual(readdirSync(cache).toSorted(), before);
    assert.equal(startsOf('unwanted'), 0);

    async function offerBytes(
      expect: RefusalCode,
      lie: (honest: Buffer) => { status: number; body: Buffer },
    ): Promise<void> {
      hostile.answer = (method, path) => {
        const honest = [FILE_A, FILE_B].find((bytes) => path.endsWith(digestOf(bytes)));
        return method === 'GET' && honest ? lie(honest) : undefined;
      };
      await offer([{ ...sealed(order({ ...withInputs(), machine })), expect }]);
    }
  });

  test('cannot say on the link what is not in its language', async () => {
    const genuine = signOrder(order(), ana.signer);
    const lease = {
      is: 'lease',
      order: genuine.digest,
      identity: agent.identity,
      job: order().job,
      at: hostile.clock(),
      seconds: 30,
      tasks: [{ index: 0, attempt: 1, token: { epoch: 1, n: 1 } }],
    };
    const [task] = lease.tasks;
    const words: unknown[] = [
      { ...lease, argv: ['id'] },
      { ...lease, tasks: [{ ...task, force: true }] },
      { ...lease, tasks: [{ ...task, attempt: 0 }] },
      { ...lease, tasks: [{ ...task, attempt: 1.5 }] },
      { ...lease, tasks: [{ ...task, index: -1 }] },
      { ...lease, tasks: [{ ...task, token: { epoch: 1, n: 2 ** 60 } }] },
      { is: 'run', argv: ['id'] },
      { is: 'configure', servers: ['127.0.0.1:1'] },
      { is: 'order', digest: genuine.digest, envelope: genuine.envelope, run: true },
      { is: 'order', digest: 'sha256:0', envelope: genuine.envelope },
      { is: 'order', digest: genuine.digest },
    ];
    for (const word of words) {
      counted.attempts += 1;
      // A server that fails at once is not dialed again so soon.
      await sleep(300);
      await reconnected(() => hostile.send(word as never));
    }
    assert.equal(startsOf('unwanted'), 0);
  });

  test('cannot bring in signers by a set of its own, a fork, or an older set', async () => {
    const evil: TestPerson = { id: randomId(), signer: signerFromSeed(new Uint8Array(32).fill(11)) };
    const bob: TestPerson = { id: randomId(), signer: signerFromSeed(new Uint8Array(32).fill(12)) };
    const one = cluster.sets;
    const fakes = [...taken.keys.values(), evil.signer].map((signer) =>
      nextSet(one, [signer], { persons: [personOf(one, evil)], changers: [evil.id] }),
    );
    for (const fake of fakes) {
      serveSets([fake]);
      hostile.send({ is: 'set', set: { version: 2, digest: envelopeDigest(fake) } });
      const set = { version: 2, digest: envelopeDigest(fake) };
      const forged = makeOrder(one, evil, { profile: 'bare', runs: order().runs, set });
      await offer([{ ...sealed(forged, evil.signer), expect: 'order.signer_unknown' }]);
    }
    assert.equal(await heldVersion(), 1);
    // Two versions that ana did sign: bob comes, bob's key is stolen and struck out.
    const two = followSet(
      one,
      nextSet(one, [ana.signer], { persons: [...one.newest.set.persons, personOf(one, bob)] }),
    );
    const ended: Person['keys'][number]['ended'] = {
      is: 'compromised',
      since: Date.now() - 1000,
      kept: [],
      running: 'stop',
    };
    const [anaThen, bobThen] = two.newest.set.persons;
    assert.ok(anaThen && bobThen);
    const struck = { ...bobThen, keys: bobThen.keys.map((key) => ({ ...key, ended })) };
    const three = followSet(two, nextSet(two, [ana.signer], { persons: [anaThen, struck] }));
    serveSets(three.chain.slice(1).map((held) => held.envelope));
    hostile.send({ is: 'set', set: setRef(three.newest) });
    await hostile.hear('set', ({ set }) => set.version === 3);
    const thiefs = (sets: HeldSets): Order => makeOrder(sets, bob, { profile: 'bare', runs: order().runs });
    for (const older of [[two.newest.envelope], [one.newest.envelope, two.newest.envelope], []]) {
      serveSets(older);
      hostile.send({ is: 'set', set: setRef(two.newest) });
      await offer([{ ...sealed(thiefs(two), bob.signer), expect: 'order.key_compromised' }]);
    }
    const fork = nextSet(two, [bob.signer], { persons: [anaThen, bobThen] });
    serveSets([two.newest.envelope, fork]);
    await offer([
      {
        ...sealed({ ...thiefs(two), set: { version: 3, digest: envelopeDigest(fork) } }, bob.signer),
        expect: 'order.key_compromised',
      },
    ]);
    assert.equal(await heldVersion(), 3);
    assert.equal(startsOf('unwanted'), 0);
  });

  test(`started nothing in at least 500 attempts, and with the person's key it starts what it likes`, async (t) => {
    assert.equal(startsOf('unwanted'), 0);
    const stolen = signerFromSeed(readPersonsSeed());
    assert.equal(stolen.key, ana.signer.key);
    await offer([{ ...sealed(order({}, 'stolen'), stolen), expect: 'ended' }]);
    assert.equal(startsOf('stolen'), 1);
    t.diagnostic(
      `${counted.attempts} attempts, ${counted.refusals} signed refusals, 0 starts; control: with the person's key, which lies on this machine too, 1 start`,
    );
    assert.ok(counted.attempts >= 500, `${counted.attempts} attempts`);
  });
});

describe('the same server, as far as people believe it', () => {
  let database: DatabaseSync;

  before(async () => {
    await hostile.close();
    await cluster.server.start();
    database = new DatabaseSync(join(cluster.server.folder, 'server', 'writ.db'), { timeout: 5000 });
  });
  after(() => database?.close());

  const waitFor = (job: string): Promise<Ended> => cluster.person.writ(['wait', job]);
  const rowOf = (job: string): { seq: number; envelope: string; admission: string } => {
    const row = database
      .prepare(
        'select receipt.job as seq, receipt.envelope, receipt.admission from receipt join job on job.seq = receipt.job where job.id = ?',
      )
      .get(job);
    assert.ok(row);
    return row as ReturnType<typeof rowOf>;
  };
  /** Writes into the database, asks, and puts back what was there. */
  async function told<T>(
    job: string,
    envelope: Envelope,
    admission: string,
    ask: () => Promise<T>,
  ): Promise<T> {
    const { seq, ...honest } = rowOf(job);
    const write = database.prepare('update receipt set envelope = ?, admission = ? where job = ?');
    write.run(JSON.stringify(envelope), admission, seq);
    try {
      return await ask();
    } finally {
      write.run(honest.envelope, honest.admission, seq);
    }
  }
  /** As every program of a person reads results. */
  async function readResult(job: string): Promise<ReceiptPredicate> {
    const kept = taken.orders.get(job);
    assert.ok(kept);
    const verified = await readVerifiedJob(cluster.client, { job, sets: cluster.sets, kept });
    for await (const { predicate } of readResults(cluster.client, verified)) return predicate;
    throw new Error('no result');
  }
  const genuine = (job: string): { envelope: Envelope; statement: Statement; admission: string } => {
    const { envelope: text, admission } = rowOf(job);
    const envelope = readReceiptText(text);
    const statement = JSON.parse(Buffer.from(envelope.payload, 'base64').toString()) as Statement;
    return { envelope, statement, admission };
  };

  test('the person is told what is true while nothing is changed', async () => {
    assert.equal((await readResult(succeeded)).because, 'exit');
    assert.equal((await waitFor(failed)).exitCode, 3);
  });

  test('receipts of another job or agent, changed ones and ones by agents of its own end with 125', async () => {
    const { envelope, statement, admission } = genuine(failed);
    const praise = { ...statement, predicate: { ...statement.predicate, exit: { code: 0 } } };
    const other = genuine(otherJob);
    const lies: [string, Envelope, string][] = [
      ['of another job and agent', other.envelope, other.admission],
      ['of another job', genuine(succeeded).envelope, admission],
      ['changed', { ...envelope, payload: encodeBase64(Buffer.from(JSON.stringify(praise))) }, admission],
    ];
    for (const [name, signer] of taken.keys)
      lies.push([`signed by the ${name}`, seal(PAYLOAD_TYPES.receipt, praise, [signer]).envelope, admission]);
    for (const fake of [fakeByHand(), fakeByInvite()]) {
      enter(fake);
      const { predicate } = praise;
      const said = { ...predicate, identity: fake.identity.key, admission: fake.digest };
      const by = [fake.identity];
      lies.push(
        [`of an agent admitted ${fake.how}`, makeReceipt(said, fake.identity).envelope, fake.digest],
        [
          `of such an agent in the name of the other`,
          seal(PAYLOAD_TYPES.receipt, praise, by).envelope,
          admission,
        ],
      );
    }
    for (const [at, [what, forged, names]] of lies.entries()) {
      counted.receiptsForged += 1;
      await told(failed, forged, names, () =>
        assert.rejects(readResult(failed), { code: 'receipt.unverified' }, what),
      );
      // A command takes a while: one of each kind.
      if (at % 4 !== 0) continue;
      const ended = await told(failed, forged, names, () => waitFor(failed));
      assert.equal(ended.exitCode, 125, `${what}: ${ended.stderr}`);
      assert.match(ended.stderr, /\[receipt\.unverified\]/, what);
    }
    assert.deepEqual((await readResult(failed)).exit, { code: 3 });
  });

  test('what it says of states and exit codes does not count', async () => {
    const { seq } = rowOf(failed);
    database.prepare("update task set exit = '{\"code\":0}', state = 'succeeded' where job = ?").run(seq);
    database
      .prepare("update job set state = 'succeeded', n_failed = 0, n_succeeded = 1 where seq = ?")
      .run(seq);
    const ended = await waitFor(failed);
    assert.ok(ended.exitCode === 3 || ended.exitCode === 125, ended.stderr);
  });

  test('a refusal that the agent signed reaches the submitter, in the words of their own program', async () => {
    const receipt = hostile.receipts.findIndex(({ job }) => job === unfit);
    const envelope = hostile.envelopes[receipt];
    const predicate = hostile.receipts[receipt];
    assert.ok(envelope && predicate);
    const { seq } = database.prepare('select seq from job where id = ?').get(unfit) as { seq: number };
    const columns =
      'job, idx, attempt, digest, token_epoch, token_n, identity, admission, is_accepted, outcome, because, ended, received, envelope';
    database
      .prepare(`insert or replace into receipt (${columns}) values (${columns.replaceAll(/[a-z_]+/g, '?')})`)
      .run(
        seq,
        0,
        1,
        envelopeDigest(envelope),
        1,
        predicate.token.n,
        predicate.identity,
        predicate.admission,
        1,
        'refused',
        predicate.because,
        predicate.ended,
        Date.now(),
        JSON.stringify(envelope),
      );
    database
      .prepare(
        "update job set state = 'refused', rest = 'refused', rest_because = 'machine.label', n_waiting = 0, n_refused = 1, ended = ? where seq = ?",
      )
      .run(Date.now(), seq);
    const ended = await waitFor(unfit);
    assert.equal(ended.exitCode, 125, ended.stderr);
    assert.match(ended.stderr, /machine\.label/);
  });

  test('no bundle with a forged receipt verifies', async (t) => {
    await cluster.person.must(['get', succeeded, '--bundle-only']);
    const file = join(cluster.person.home, `${succeeded}.writ.json`);
    const bundle = JSON.parse(readFileSync(file, 'utf8')) as Bundle;
    const anchors = [cluster.sets.cluster];
    assert.equal(verifyBundle(bundle, anchors).receipts.length, 1);
    assert.equal((await cluster.person.writ(['verify', file])).exitCode, 0);
    const [entry] = bundle.receipts;
    assert.ok(entry);
    const { envelope, statement } = genuine(succeeded);
    const { predicate } = statement;
    const withReceipt = (receipt: Envelope, admissions = bundle.admissions): Bundle => ({
      ...bundle,
      admissions,
      receipts: [{ receipt, received: null }],
    });
    const changes: Partial<ReceiptPredicate>[] = [
      { exit: { code: 1 } },
      { because: 'time_limit' },
      { index: 1 },
      { attempt: 2 },
      { token: { epoch: 9, n: 9 } },
      { order: digestOf('other') },
      { job: failed },
      { ended: predicate.ended + 1 },
      { started: (predicate.started ?? 0) - 1 },
      { profile: 'strict' },
      { seq: predicate.seq + 1 },
      { previous: digestOf('other') },
      { stdout: { digest: digestOf('other'), size: 5 } },
      { outputs: [{ path: 'made', mode: 'file', digest: digestOf('made'), size: 4 }] },
      { kind: 'adopted', adopts: digestOf('other') },
    ];
    const fakes = [fakeByHand(), fakeByInvite()];
    const forged: Bundle[] = [];
    for (const change of changes) {
      const said = { ...predicate, ...change };
      const signed = makeReceipt(said, ana.signer).envelope;
      forged.push(withReceipt({ ...envelope, payload: signed.payload }));
      for (const signer of [...taken.keys.values(), ana.signer, ...fakes.map(({ identity }) => identity)])
        forged.push(withReceipt(makeReceipt(said, signer).envelope));
      for (const fake of fakes) {
        const own = { ...said, identity: fake.identity.key, admission: fake.digest };
        forged.push(
          withReceipt(makeReceipt(own, fake.identity).envelope, [...bundle.admissions, fake.paper]),
        );
      }
    }
    for (const one of forged) {
      counted.receiptsForged += 1;
      assert.throws(() => verifyBundle(one, anchors));
    }
    writeFileSync(file, JSON.stringify(forged[0]));
    const ended = await cluster.person.writ(['verify', file]);
    assert.equal(ended.exitCode, 1);
    assert.doesNotMatch(ended.stdout, /✓/);
    t.diagnostic(`0 of ${counted.receiptsForged} forged receipts accepted`);
  });

  /** So that the server shows it among its admissions. */
  function enter({ paper, digest, identity }: Fake): void {
    const { envelope } = database.prepare('select envelope from admission limit 1').get() as {
      envelope: string;
    };
    assert.ok(envelope);
    const invite = paper.invite && envelopeDigest(paper.invite);
    if (paper.invite && invite)
      database
        .prepare(
          'insert into invite (digest, invite_key, role, until, envelope, created, admission) values (?, ?, ?, ?, ?, ?, ?)',
        )
        .run(
          invite,
          identity.key,
          'agent',
          Date.now() + 1000,
          JSON.stringify(paper.invite),
          Date.now(),
          digest,
        );
    const { seq } = database.prepare('select max(seq) + 1 as seq from admission').get() as { seq: number };
    database
      .prepare(
        'insert into admission (digest, seq, identity, name, invite, is_current, envelope, admitted) values (?, ?, ?, ?, ?, 0, ?, ?)',
      )
      .run(digest, seq, identity.key, 'fake', invite, JSON.stringify(paper.admission), Date.now());
  }
});

type Statement = { readonly predicate: ReceiptPredicate };

/** An agent that the thief made: it has a genuine certificate, as every agent of the authority. */
interface Fake {
  readonly how: string;
  readonly identity: Signer;
  readonly digest: string;
  readonly paper: Bundle['admissions'][number];
}

const fakeAdmission = (identity: Signer, how: Admission['how']): Admission => ({
  format: 1,
  cluster: cluster.sets.cluster,
  identity: identity.key,
  role: 'agent',
  name: 'drill-three',
  machine: { host: 'host', os: 'linux', arch: 'x64', machineId: null },
  how,
  supersedes: null,
  time: Date.now(),
});

function fakeByHand(): Fake {
  const identity = newSigner();
  const [authority] = taken.keys.values();
  assert.ok(authority);
  const by = { person: ana.id, key: ana.signer.key };
  const how = { is: 'by_hand', labels: [], queues: ['*'], set: setRef(taken.sets.newest), by } as const;
  const admission = fakeAdmission(identity, { ...how, labels: [], queues: ['*'] });
  const { envelope, digest } = makeAdmission(admission, authority, identity);
  return { how: 'by hand', identity, digest, paper: { admission: envelope, invite: null } };
}

function fakeByInvite(): Fake {
  const identity = newSigner();
  const [authority] = taken.keys.values();
  assert.ok(authority);
  const made = makeInvite(
    taken.sets,
    { person: ana.id, signer: authority },
    { role: 'agent', name: null, labels: [], queues: ['*'], addresses: ['127.0.0.1:1'] },
    Date.now(),
    (bytes) => crypto.getRandomValues(bytes),
  );
  const key = inviteSigner(parseInvite(made.text).seed);
  const how = { is: 'invite', invite: made.digest, inviteKey: key.key } as const;
  const { envelope, digest } = makeAdmission(fakeAdmission(identity, how), key, identity);
  return {
    how: 'by an invite of its own',
    identity,
    digest,
    paper: { admission: envelope, invite: made.envelope },
  };
}

const newSigner = (): Signer => signerFromSeed(crypto.getRandomValues(new Uint8Array(32)));

/** The place where `writ` keeps it; on the server's machine too when person and server share one. */
function readPersonsSeed(): Uint8Array {
  const keys = join(cluster.person.configuration, 'writ', 'keys');
  const [name = ''] = readdirSync(keys);
  const { seed } = JSON.parse(readFileSync(join(keys, name), 'utf8')) as { seed: string };
  return Buffer.from(seed, 'base64url');
}

async function reconnected(cause: () => void | Promise<void>): Promise<void> {
  const hellos = (): number => hostile.heard.filter(({ is }) => is === 'hello').length;
  const before = hellos();
  await cause();
  for (let tries = 0; hellos() === before; tries += 1) {
    assert.ok(tries < 1500, 'the agent did not come back');
    await sleep(20);
  }
}

async function heldVersion(): Promise<number> {
  await reconnected(() => hostile.cut());
  const hello = hostile.heard.findLast((message) => message.is === 'hello');
  return hello?.set.version ?? 0;
}

function serveSets(sets: readonly Envelope[]): void {
  hostile.answer = (_method, path) =>
    path.startsWith(LINK_ROUTES.sets)
      ? { status: 200, body: JSON.stringify({ sets, freshness: null }) }
      : undefined;
}

type AnySet = HeldSets['newest']['set'];
type Person = AnySet['persons'][number];

function nextSet(sets: HeldSets, signers: readonly Signer[], change: Partial<AnySet>): Envelope {
  const { nonce: _nonce, ...before } = sets.newest.set as AnySet & { nonce?: string };
  const next = {
    ...before,
    cluster: sets.cluster,
    version: before.version + 1,
    previous: sets.newest.digest,
    time: Date.now() - 1000,
    ...change,
  };
  return seal(PAYLOAD_TYPES.signerSet, next, signers).envelope;
}

function personOf(sets: HeldSets, { id, signer }: TestPerson): Person {
  const [pattern] = sets.newest.set.persons;
  assert.ok(pattern);
  const [key] = pattern.keys;
  assert.ok(key);
  return { ...pattern, id, name: `p-${id.slice(0, 6)}`, keys: [{ ...key, key: signer.key }] };
}
