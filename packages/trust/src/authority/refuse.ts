import { TrustError } from '../trust-error.ts';
import type { AuthorityCode } from './codes.ts';

/** An error with one of this folder's codes. */
export function refusal(code: AuthorityCode, message: string, cause?: unknown): TrustError {
  return cause === undefined ? new TrustError(code, message) : new TrustError(code, message, { cause });
}
