import type { KeyObject } from 'node:crypto';
// The library needs the metadata of its decorators to be there before it is loaded.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

export { x509 };
export const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** The same key in the form that the library signs with. */
export function signingKeyOf(key: KeyObject): CryptoKey {
  return key.toCryptoKey(signingAlgorithm, false, ['sign']) as CryptoKey;
}
