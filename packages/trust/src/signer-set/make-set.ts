import { DEFAULTS, PAYLOAD_TYPES } from '@writ/contract';
import type { FirstSignerSet, Grants } from '@writ/contract';
import { seal } from '../envelope/seal.ts';
import type { Sealed } from '../envelope/seal.ts';
import type { Signer } from '../keys.ts';

export const ALL_GRANTS: Grants = {
  order: {
    queues: ['*'],
    projects: ['*'],
    profile: 'bare',
    network: true,
    runAs: ['*'],
    raw: true,
    definitions: ['*'],
  },
  admit: true,
  author: true,
  secrets: true,
  withdraw: true,
  touch: false,
};

export interface FirstSet {
  readonly nonce: string;
  readonly now: number;
  readonly person: { readonly id: string; readonly name: string; readonly keyName: string };
  /** Root certificates, DER in base64. */
  readonly authorities: readonly string[];
}

/** Version 1: one person, who may do everything. Its digest becomes the cluster id. */
export function makeFirstSet(first: FirstSet, signer: Signer): Sealed {
  const set: FirstSignerSet = {
    format: 1,
    version: 1,
    time: first.now,
    supersedes: [],
    persons: [
      {
        id: first.person.id,
        name: first.person.name,
        kind: 'person',
        keys: [
          {
            key: signer.key,
            name: first.person.keyName,
            form: 'dsse',
            custody: 'own',
            until: null,
            order: null,
            ended: null,
          },
        ],
        grants: ALL_GRANTS,
      },
    ],
    groups: [],
    changers: [first.person.id],
    threshold: 1,
    recovery: null,
    authorities: [...first.authorities],
    freshnessSeconds: DEFAULTS.freshnessSeconds,
    agentsRemoved: [],
    invitesRevoked: [],
    definitionsWithdrawn: [],
    queueRules: [],
    nonce: first.nonce,
    previous: null,
  };
  return seal(PAYLOAD_TYPES.signerSet, set, [signer]);
}
