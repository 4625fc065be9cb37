import { encodeBase64, writePayload } from '@writ/contract';
import type { Envelope, PayloadType } from '@writ/contract';
import { digestOf } from '../digest.ts';
import type { Signer } from '../keys.ts';
import { preAuthenticationEncoding } from './encode.ts';

export interface Sealed {
  readonly envelope: Envelope;
  /** SHA-256 of the pre-authentication encoding: an envelope can be respelled, this cannot. */
  readonly digest: string;
}

/** @throws TypeError for a value that no verifier would read: text that is not NFC, numbers beyond 2^53. */
export function seal(payloadType: PayloadType, value: unknown, signers: readonly Signer[]): Sealed {
  const payload = writePayload(value);
  const encoded = preAuthenticationEncoding(payloadType, payload);
  return {
    envelope: {
      payloadType,
      payload: encodeBase64(payload),
      signatures: signers.map((signer) => ({ keyid: signer.key, sig: encodeBase64(signer.sign(encoded)) })),
    },
    digest: digestOf(encoded),
  };
}
