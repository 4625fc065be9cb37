import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { refusal } from './refuse.ts';

// SubjectPublicKeyInfo of P-256 with an uncompressed point: all but the last 64 bytes are the same for every key.
const prefix = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');

/** A fresh TLS key. It is stored by who asks for the certificate, before asking. */
export function createTlsKey(): { privateKeyPem: string; publicKeySpki: Uint8Array } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKeySpki: publicKey.export({ type: 'spki', format: 'der' }),
  };
}

/** Refuses every key but P-256 in its one usual form, and points that are not on the curve. */
export function readP256Key(spki: Uint8Array): KeyObject {
  const bytes = Buffer.from(spki);
  if (bytes.length !== prefix.length + 64 || !bytes.subarray(0, prefix.length).equals(prefix)) {
    throw refusal(
      'certificate.key_type',
      'The key is not an ECDSA P-256 key. Make one with that curve; no other kind is certified or accepted.',
    );
  }
  try {
    return createPublicKey({ key: bytes, format: 'der', type: 'spki' });
  } catch (cause) {
    throw refusal(
      'certificate.key_type',
      'The key is not a point on the curve P-256. Make a new key.',
      cause,
    );
  }
}

/** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
export function publicKeyDigest(spki: Uint8Array): string {
  return createHash('sha256').update(spki).digest('hex');
}
