import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { buildOrder } from '@writ/client';
import type { Bundle, ReceiptPredicate } from '@writ/contract';
import {
  makeAdmission,
  makeFirstSet,
  makeReceipt,
  newId,
  newSeed,
  setRef,
  signerFromSeed,
  signOrder,
  startSets,
} from '@writ/trust';
import { digestOf } from '@writ/trust/digest';
import { BUNDLE, STRIP } from './fetch-strips.ts';
import { verifyStrips } from './verify-strips.ts';

const COUNT = 3;
const now = Date.now();
const random = (bytes: Uint8Array<ArrayBuffer>): void => void crypto.getRandomValues(bytes);
const cluster = makeCluster();
const order = makeOrder();
const anchors = { cluster: cluster.sets.cluster, order: order.digest };

const root = mkdtempSync(join(tmpdir(), 'writ-verify-'));
after(() => rmSync(root, { recursive: true }));
const whole = join(root, 'whole');
for (let index = 0; index < COUNT; index += 1) writeStrip(whole, index, {});

test('strips that an admitted agent signed for this order are taken, byte for byte', () => {
  const { strips, faults } = verifyStrips(whole, COUNT, anchors);
  assert.deepEqual(faults, []);
  assert.deepEqual(
    strips.map(({ index, agent, ppm }) => [index, agent, ppm.toString()]),
    [0, 1, 2].map((index) => [index, 'lab-1', `pixels ${index}`]),
  );
});

test('one byte changed in a strip is noticed, and the strip named', () => {
  const { strips, faults } = verifyStrips(
    changed((folder) => flipByte(join(folder, '1', STRIP))),
    COUNT,
    anchors,
  );
  assert.deepEqual(faults, ['strip 1: these are not the bytes that lab-1 signed']);
  assert.equal(strips.length, 2);
});

test('any byte changed in what a receipt says is noticed, and the strip named', () => {
  const length = envelopeOf(whole, 2).payload.length;
  for (let place = 8; place < length - 8; place += 97) {
    const folder = changed((copy) => {
      changeBundle(copy, 2, (bundle) => {
        const { receipt } = bundle.receipts[0]!;
        const other = receipt.payload[place] === 'A' ? 'B' : 'A';
        receipt.payload = receipt.payload.slice(0, place) + other + receipt.payload.slice(place + 1);
      });
    });
    const { faults } = verifyStrips(folder, COUNT, anchors);
    assert.equal(faults.length, 1, `at ${place}`);
    assert.match(faults[0]!, /^strip 2: /);
  }
});

test('a strip is not taken for another place in the picture', () => {
  const folder = changed((copy) => {
    cpSync(join(whole, '0'), join(copy, '1'), { recursive: true });
  });
  const { faults } = verifyStrips(folder, COUNT, anchors);
  assert.deepEqual(faults, ['strip 1: its receipt is about strip 0']);
});

test('a receipt about another order of the same person is not taken', () => {
  const { faults } = verifyStrips(whole, COUNT, { ...anchors, order: makeOrder().digest });
  assert.deepEqual(
    faults,
    [0, 1, 2].map((index) => `strip ${index}: its receipt is about another order`),
  );
});

test('a folder made wholly by another cluster is not taken', () => {
  const other = makeCluster().sets.cluster;
  const { strips, faults } = verifyStrips(whole, COUNT, { ...anchors, cluster: other });
  assert.equal(strips.length, 0);
  assert.match(faults[0]!, /^strip 0: its receipt is of another cluster$/);
});

test('a task that failed has no strip, whatever lies there', () => {
  const folder = changed((copy) => writeStrip(copy, 0, { exit: { code: 1 } }));
  assert.deepEqual(verifyStrips(folder, COUNT, anchors).faults, ['strip 0: the task did not succeed: exit']);
});

test('a strip that never came is named', () => {
  const folder = changed((copy) => rmSync(join(copy, '2'), { recursive: true }));
  assert.match(verifyStrips(folder, COUNT, anchors).faults.join(), /^strip 2: ENOENT/);
});

function makeCluster() {
  const signer = signerFromSeed(newSeed(random));
  const identity = signerFromSeed(newSeed(random));
  const person = { id: newId(random), name: 'ana', keyName: 'ana@lab' };
  const first = makeFirstSet({ nonce: newId(random), now, person, authorities: ['AAAA'] }, signer);
  const sets = startSets(first.envelope);
  const admission = makeAdmission(
    {
      format: 1,
      cluster: sets.cluster,
      identity: identity.key,
      name: 'lab-1',
      machine: { host: 'lab-1', os: 'linux', arch: 'x64', machineId: null },
      how: {
        is: 'by_hand',
        labels: [],
        queues: ['*'],
        set: setRef(sets.newest),
        by: { person: person.id, key: signer.key },
      },
      role: 'agent',
      supersedes: null,
      time: now,
    },
    signer,
    identity,
  );
  return { signer, identity, person: person.id, sets, admission };
}

function makeOrder() {
  const order = buildOrder(
    { argv: ['draw'], outputs: [STRIP], array: { is: 'range', from: 0, to: COUNT - 1 } },
    {
      cluster: cluster.sets.cluster,
      set: setRef(cluster.sets.newest),
      person: cluster.person,
      key: cluster.signer.key,
      job: newId(random),
      now,
    },
  );
  return { order, ...signOrder(order, cluster.signer) };
}

function writeStrip(folder: string, index: number, other: Partial<ReceiptPredicate>): void {
  const place = join(folder, String(index));
  const ppm = Buffer.from(`pixels ${index}`);
  const nothing = { digest: digestOf(new Uint8Array()), size: 0 };
  const receipt = makeReceipt(
    {
      format: 1,
      cluster: cluster.sets.cluster,
      kind: 'ended',
      identity: cluster.identity.key,
      admission: cluster.admission.digest,
      person: cluster.person,
      order: order.digest,
      job: order.order.job,
      index,
      attempt: 1,
      token: { epoch: 1, n: index + 1 },
      set: setRef(cluster.sets.newest),
      adopts: null,
      because: 'exit',
      detail: '',
      exit: { code: 0 },
      variant: 0,
      profile: 'strict',
      started: now,
      ended: now + 1000,
      outputs: [{ path: STRIP, mode: 'file', digest: digestOf(ppm), size: ppm.length }],
      stdout: nothing,
      stderr: nothing,
      resources: { wallMs: 1000, cpuMs: null, memoryPeakBytes: null },
      seq: index + 1,
      previous: null,
      auditHead: null,
      ...other,
    },
    cluster.identity,
  );
  const bundle: Bundle = {
    bundle: 1,
    cluster: cluster.sets.cluster,
    order: order.envelope,
    definition: null,
    sets: cluster.sets.chain.map(({ envelope }) => envelope),
    admissions: [{ admission: cluster.admission.envelope, invite: null }],
    receipts: [{ receipt: receipt.envelope, received: null }],
  };
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, STRIP), ppm);
  writeFileSync(join(place, BUNDLE), JSON.stringify(bundle));
}

function changed(change: (folder: string) => void): string {
  const folder = mkdtempSync(join(root, 'changed-'));
  cpSync(whole, folder, { recursive: true });
  change(folder);
  return folder;
}

function flipByte(file: string): void {
  const bytes = readFileSync(file);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(file, bytes);
}

function changeBundle(folder: string, index: number, change: (bundle: Bundle) => void): void {
  const file = join(folder, String(index), BUNDLE);
  const bundle = JSON.parse(readFileSync(file, 'utf8')) as Bundle;
  change(bundle);
  writeFileSync(file, JSON.stringify(bundle));
}

function envelopeOf(folder: string, index: number) {
  const bundle = JSON.parse(readFileSync(join(folder, String(index), BUNDLE), 'utf8')) as Bundle;
  return bundle.receipts[0]!.receipt;
}
