import { certificateRequestCheck, PAYLOAD_TYPES } from '@writ/contract';
import type { CertificateRequest, Envelope } from '@writ/contract';
import { openEnvelope } from '../envelope/open.ts';
import { seal } from '../envelope/seal.ts';
import type { Sealed } from '../envelope/seal.ts';
import type { Signer } from '../keys.ts';
import { TrustError } from '../trust-error.ts';

export function makeCertificateRequest(
  request: { cluster: string; previous: string | null; now: number },
  identity: Signer,
  tls: Signer,
): Sealed {
  const body: CertificateRequest = {
    format: 1,
    cluster: request.cluster,
    identity: identity.key,
    tlsKey: tls.key,
    previous: request.previous,
    time: request.now,
  };
  return seal(PAYLOAD_TYPES.certificateRequest, body, [identity, tls]);
}

/**
 * Both keys are held by whoever asks. Whether the identity is admitted, and which leaf came before, the caller knows.
 * Codes: those of openEnvelope, `request.cluster_other`, `request.signatures_wrong`.
 */
export function judgeCertificateRequest(
  envelope: Envelope,
  cluster: string,
): CertificateRequest & { digest: string } {
  const { value, digest, signedBy } = openEnvelope(envelope, {
    type: PAYLOAD_TYPES.certificateRequest,
    check: certificateRequestCheck,
    candidates: [],
    mayNameItself: true,
  });
  if (value.cluster !== cluster)
    throw new TrustError('request.cluster_other', 'this certificate request is to another cluster');
  if (signedBy.length !== 2 || !signedBy.includes(value.identity) || !signedBy.includes(value.tlsKey)) {
    throw new TrustError(
      'request.signatures_wrong',
      'a certificate request is signed by the identity key and by the TLS key',
    );
  }
  return { ...value, digest };
}
