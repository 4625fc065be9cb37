import type { Envelope, SignerSet } from '@writ/contract';

/** A signer set that was checked. */
export interface HeldSet {
  readonly set: SignerSet;
  readonly digest: string;
  readonly envelope: Envelope;
  /** The keys whose signatures it has. */
  readonly signedBy: readonly string[];
}
