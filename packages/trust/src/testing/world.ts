import { DEFAULTS } from '@writ/contract';
import type { Admission, Order } from '@writ/contract';
import { makeOrder as makeSmallOrder } from '../../../../testkit/src/make-order.ts';
import { judgeAdmission, makeAdmission } from '../admission/admission.ts';
import { makeInvite } from '../admission/invite.ts';
import { parseInvite } from '../admission/invite-text.ts';
import { inviteSigner, newId, newSeed, signerFromSeed } from '../keys.ts';
import type { FillRandom } from '../keys.ts';
import { startSets } from '../signer-set/follow-sets.ts';
import { makeFirstSet } from '../signer-set/make-set.ts';

/** For tests: a cluster with one person and one admitted agent, made as the programs make it. */
export const NOW = Date.UTC(2026, 0, 15, 12);
export const random: FillRandom = (bytes) => crypto.getRandomValues(bytes);

export function makeWorld(name = 'ana') {
  const signer = signerFromSeed(newSeed(random));
  const person = newId(random);
  const first = makeFirstSet(
    {
      nonce: newId(random),
      now: NOW,
      person: { id: person, name, keyName: `${name}-pc` },
      authorities: ['MAAA'],
    },
    signer,
  );
  const sets = startSets(first.envelope);
  return { signer, person, first, sets, ...makeAgent({ sets, person, signer }) };
}

export function makeAgent(
  world: { sets: ReturnType<typeof startSets>; person: string; signer: ReturnType<typeof signerFromSeed> },
  name = 'lab-02',
) {
  const identity = signerFromSeed(newSeed(random));
  const invite = makeInvite(
    world.sets,
    { person: world.person, signer: world.signer },
    {
      role: 'agent',
      name: null,
      labels: [{ name: 'gpu', value: '' }],
      queues: ['*'],
      addresses: ['localhost:7411'],
    },
    NOW,
    random,
  );
  const inviteKey = inviteSigner(parseInvite(invite.text).seed);
  const admission: Admission = {
    format: 1,
    cluster: world.sets.cluster,
    identity: identity.key,
    name,
    machine: { host: name, os: 'linux', arch: 'x64', machineId: null },
    how: { is: 'invite', invite: invite.digest, inviteKey: inviteKey.key },
    role: 'agent',
    supersedes: null,
    time: NOW,
  };
  const sealed = makeAdmission(admission, inviteKey, identity);
  return {
    identity,
    invite,
    inviteKey,
    admission,
    admissionEnvelope: sealed.envelope,
    admitted: judgeAdmission(sealed.envelope, invite.envelope, world.sets),
  };
}

/** As {@link makeSmallOrder}, at the time of this world. */
export const makeOrder = (
  world: Pick<ReturnType<typeof makeWorld>, 'sets' | 'person' | 'signer'>,
  changes: Partial<Order> = {},
): Order =>
  makeSmallOrder(
    world.sets,
    { id: world.person, signer: world.signer },
    { profile: 'user', issued: NOW, notAfter: NOW + DEFAULTS.runNotAfterSeconds * 1000, ...changes },
  );
