import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PAYLOAD_TYPES } from '@writ/contract';
import type { Description } from '@writ/contract';
import { seal } from '../envelope/seal.ts';
import { makeWorld, NOW } from '../testing/world.ts';
import { TrustError } from '../trust-error.ts';
import { judgeDescription, makeDescription } from './description.ts';

const { sets, identity, signer } = makeWorld();
const code = (expected: string) => (error: unknown) => error instanceof TrustError && error.code === expected;
const description: Description = {
  format: 1,
  cluster: sets.cluster,
  identity: identity.key,
  time: NOW,
  writ: '0.1.0',
  node: 'v24.0.0',
  os: 'linux',
  arch: 'x64',
  host: 'lab-02',
  cores: 2,
  memoryBytes: 2 ** 34,
  slots: 2,
  counters: [],
  megaflops: 0,
  profiles: [],
  labels: [],
  policy: 'everyone',
};
const mine = { cluster: sets.cluster, identity: identity.key };

test('a description is that of the agent that signed it, and of its cluster', () => {
  assert.deepEqual(judgeDescription(makeDescription(description, identity).envelope, mine), description);
  const foreign = [
    makeDescription({ ...description, cluster: makeWorld().sets.cluster }, identity),
    makeDescription({ ...description, identity: signer.key }, identity),
  ];
  for (const { envelope } of foreign)
    assert.throws(() => judgeDescription(envelope, mine), code('description.not_mine'));
});

test('a description by another agent, or by two, is refused', () => {
  const other = makeDescription(description, signer).envelope;
  assert.throws(() => judgeDescription(other, mine), code('envelope.key_unknown'));
  const both = seal(PAYLOAD_TYPES.description, description, [identity, signer]).envelope;
  assert.throws(() => judgeDescription(both, mine), code('envelope.key_unknown'));
});
