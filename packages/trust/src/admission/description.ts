import { descriptionCheck, PAYLOAD_TYPES } from '@writ/contract';
import type { Description, Envelope } from '@writ/contract';
import { openEnvelope } from '../envelope/open.ts';
import { seal } from '../envelope/seal.ts';
import type { Sealed } from '../envelope/seal.ts';
import type { Signer } from '../keys.ts';
import { TrustError } from '../trust-error.ts';

export const makeDescription = (description: Description, identity: Signer): Sealed =>
  seal(PAYLOAD_TYPES.description, description, [identity]);

/** What an admitted agent measured about itself, in its own words. */
export function judgeDescription(
  envelope: Envelope,
  expected: { cluster: string; identity: string },
): Description {
  const { value, signedBy } = openEnvelope(envelope, {
    type: PAYLOAD_TYPES.description,
    check: descriptionCheck,
    candidates: [expected.identity],
  });
  if (value.cluster !== expected.cluster || value.identity !== expected.identity || signedBy.length !== 1) {
    throw new TrustError('description.not_mine', 'this description is of another agent or cluster');
  }
  return value;
}
