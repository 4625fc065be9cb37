import { type Envelope, PAYLOAD_TYPES, type SignerSet, signerSetCheck } from '@writ/contract';
import { readUnverified, TrustError } from '@writ/trust';

/** What a signer set says, before it has been judged. */
export function setOf(envelope: Envelope): SignerSet | null {
  try {
    return readUnverified(envelope, { type: PAYLOAD_TYPES.signerSet, check: signerSetCheck });
  } catch (error) {
    if (error instanceof TrustError) return null;
    throw error;
  }
}
