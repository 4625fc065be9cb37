import { type Envelope, type Label, PAYLOAD_TYPES } from '@writ/contract';
import { addSignature, type HeldSets, seal, setRef, type Signer } from '@writ/trust';
import type { TestPerson } from './make-order.ts';

export interface AdmissionWish {
  readonly name: string;
  readonly labels?: readonly Label[];
  readonly queues?: readonly string[];
}

/** A person's word that a machine is an agent, signed by both. */
export function signAdmission(
  sets: HeldSets,
  person: TestPerson,
  identity: Signer,
  { name, labels = [], queues = ['*'] }: AdmissionWish,
): { readonly envelope: Envelope; readonly digest: string } {
  const admission = {
    format: 1 as const,
    cluster: sets.cluster,
    identity: identity.key,
    name,
    machine: { host: name, os: 'linux', arch: 'x64', machineId: null },
    how: {
      is: 'by_hand' as const,
      labels: [...labels],
      queues: [...queues],
      set: setRef(sets.newest),
      by: { person: person.id, key: person.signer.key },
    },
    role: 'agent',
    supersedes: null,
    time: Date.now(),
  };
  const half = seal(PAYLOAD_TYPES.admission, admission, [person.signer]);
  const whole = addSignature(half, seal(PAYLOAD_TYPES.admission, admission, [identity]));
  return { envelope: whole, digest: half.digest };
}
