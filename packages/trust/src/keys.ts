import { decodeBase64Url, encodeBase32, encodeBase64Url } from '@writ/contract';
import { deriveKey, ed25519FromSeed, ed25519Verifier, p256FromPkcs8, p256Verifier } from '#primitives';
import type { Verify } from '#primitives';
import { TrustError } from './trust-error.ts';

export { generateP256 } from '#primitives';

/** Fills an array with random bytes: `crypto.getRandomValues`, or a seeded one in a simulation. */
export type FillRandom = (bytes: Uint8Array<ArrayBuffer>) => unknown;

/** Something that can sign with one key. */
export interface Signer {
  /** `ed25519:` or `p256:` and the public key in base64url. */
  readonly key: string;
  sign(bytes: Uint8Array): Uint8Array;
}

const SEED_BYTES = 32;

export function newSeed(random: FillRandom): Uint8Array {
  const seed = new Uint8Array(SEED_BYTES);
  random(seed);
  return seed;
}

/** 128 random bits, as jobs, persons and tokens are named. */
export function newId(random: FillRandom): string {
  const bytes = new Uint8Array(16);
  random(bytes);
  return encodeBase32(bytes);
}

/** @param seed 32 bytes: an Ed25519 private key. */
export function signerFromSeed(seed: Uint8Array): Signer {
  if (seed.length !== SEED_BYTES)
    throw new TrustError('key.malformed', `an Ed25519 seed has ${SEED_BYTES} bytes, this one ${seed.length}`);
  const { publicKey, sign } = ed25519FromSeed(seed);
  return { key: `ed25519:${encodeBase64Url(publicKey)}`, sign };
}

/** @param pkcs8 a P-256 private key in DER. */
export function p256Signer(pkcs8: Uint8Array): Signer {
  const { publicKey, sign } = p256FromPkcs8(pkcs8);
  return { key: `p256:${encodeBase64Url(publicKey)}`, sign };
}

/** The key inside an invite: its 16-byte seed is all that the joining machine needs. */
export const inviteSigner = (seed: Uint8Array): Signer => signerFromSeed(deriveKey(seed, 'writ invite 1'));

/** @returns the raw bytes of a key text: 32 for `ed25519:`, SubjectPublicKeyInfo for `p256:`. */
export function keyBytes(key: string): Uint8Array {
  const bytes = decodeBase64Url(key.slice(key.indexOf(':') + 1));
  if (!bytes) throw new TrustError('key.malformed', `“${key}” is not a public key`);
  return bytes;
}

/** The few keys of a cluster are read once; a key that cannot be read, or is weak, has signed nothing. */
const MOST_KEYS = 4096;
const verifiers = new Map<string, Verify>();

export function verifySignature(key: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    let verify = verifiers.get(key);
    if (!verify) {
      verify = readVerifier(key);
      if (verifiers.size >= MOST_KEYS) verifiers.clear();
      verifiers.set(key, verify);
    }
    return verify(bytes, signature);
  } catch {
    return false;
  }
}

function readVerifier(key: string): Verify {
  if (key.startsWith('ed25519:')) return isStrongEd25519(key) ? ed25519Verifier(keyBytes(key)) : () => false;
  if (key.startsWith('p256:')) return p256Verifier(keyBytes(key));
  return () => false;
}

const FIELD_PRIME = (1n << 255n) - 19n;
/** The y coordinates of the eight points of small order: under such a key one signature fits every message. */
const SMALL_ORDER_8 = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;
const SMALL_ORDER = new Set([0n, 1n, FIELD_PRIME - 1n, SMALL_ORDER_8, FIELD_PRIME - SMALL_ORDER_8]);

/** Refuses points of small order and coordinates that are not fully reduced. */
export function isStrongEd25519(key: string): boolean {
  if (!key.startsWith('ed25519:')) return false;
  const bytes = decodeBase64Url(key.slice('ed25519:'.length));
  if (bytes?.length !== 32) return false;
  let y = 0n;
  for (let at = 31; at >= 0; at -= 1) y = (y << 8n) | BigInt(at === 31 ? bytes[at]! & 127 : bytes[at]!);
  return y < FIELD_PRIME && !SMALL_ORDER.has(y);
}
