import { TrustError } from '../trust-error.ts';
import type { CertificateCode } from './codes.ts';

/** An error with one of this folder's codes. */
export function refusal(code: CertificateCode, message: string, cause?: unknown): TrustError {
  return cause === undefined ? new TrustError(code, message) : new TrustError(code, message, { cause });
}
