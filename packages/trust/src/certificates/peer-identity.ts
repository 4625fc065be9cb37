import type { Role } from './leaf-uri.ts';

/** Who is at the other end of a connection, computed once from its checked certificate. */
export interface PeerIdentity {
  readonly cluster: string;
  readonly role: Role;
  readonly name: string;
  /** Lower-case hex, as `openssl x509 -serial` shows it, 32 digits at least. */
  readonly serial: string;
  /** Milliseconds since 1970, UTC. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  readonly publicKeyDigest: string;
  /** SHA-256 of the certificate, lower-case hex. */
  readonly fingerprint: string;
}

/** Asked on every request: a leaf can end while its connection is open. */
export function isLeafCurrent(identity: PeerIdentity, now: number): boolean {
  return identity.notBefore <= now && now <= identity.notAfter;
}
