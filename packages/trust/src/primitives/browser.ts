import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 as hash } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { P256Pair, Verify } from './node.ts';

export type { Verify } from './node.ts';

/** The same primitives where there is no Node: WebCrypto only answers later, and what signs here answers at once. */

const bytesOf = (text: Uint8Array | string): Uint8Array =>
  typeof text === 'string' ? utf8ToBytes(text) : text;

export const sha256 = (bytes: Uint8Array): Uint8Array => hash(bytes);
export const sha256Hex = (bytes: Uint8Array | string): string => bytesToHex(hash(bytesOf(bytes)));

export function startSha256(): { update(chunk: Uint8Array): void; hex(): string } {
  const state = hash.create();
  return { update: (chunk) => void state.update(chunk), hex: () => bytesToHex(state.digest()) };
}

export const deriveKey = (secret: Uint8Array, purpose: string): Uint8Array =>
  hkdf(hash, secret, new Uint8Array(0), utf8ToBytes(purpose), 32);

export function ed25519FromSeed(seed: Uint8Array): {
  publicKey: Uint8Array;
  sign(bytes: Uint8Array): Uint8Array;
} {
  return { publicKey: ed25519.getPublicKey(seed), sign: (bytes) => ed25519.sign(bytes, seed) };
}

/** What stands around the bytes of a P-256 key in DER: PKCS#8 with the public key inside, as OpenSSL writes it. */
const PKCS8 = hexToBytes('308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420');
const PKCS8_PUBLIC = hexToBytes('a144034200');
const SPKI = hexToBytes('3059301306072a8648ce3d020106082a8648ce3d030107034200');
const SCALAR_BYTES = 32;
const POINT_BYTES = 65;

export function generateP256(): P256Pair {
  const secret = p256.utils.randomSecretKey();
  const point = p256.getPublicKey(secret, false);
  return {
    privateKey: concatBytes(PKCS8, secret, PKCS8_PUBLIC, point),
    publicKey: concatBytes(SPKI, point),
  };
}

/** Signatures are ECDSA with SHA-256 in DER. */
export function p256FromPkcs8(privateKey: Uint8Array): {
  publicKey: Uint8Array;
  sign(bytes: Uint8Array): Uint8Array;
} {
  const secret = privateKey.subarray(PKCS8.length, PKCS8.length + SCALAR_BYTES);
  if (!startsWith(privateKey, PKCS8) || secret.length !== SCALAR_BYTES)
    throw new TypeError('not a P-256 private key in PKCS#8');
  return {
    publicKey: concatBytes(SPKI, p256.getPublicKey(secret, false)),
    sign: (bytes) => p256.sign(bytes, secret, { lowS: false, format: 'der' }),
  };
}

export function ed25519Verifier(publicKey: Uint8Array): Verify {
  // RFC 8032 as Node has it, not the wider rules of ZIP 215.
  return (bytes, signature) => ed25519.verify(signature, bytes, publicKey, { zip215: false });
}

/** @throws for bytes that are not a P-256 SubjectPublicKeyInfo. */
export function p256Verifier(spki: Uint8Array): Verify {
  const point = spki.subarray(SPKI.length);
  if (!startsWith(spki, SPKI) || point.length !== POINT_BYTES) throw new TypeError('this is no P-256 key');
  return (bytes, signature) => p256.verify(signature, bytes, point, { lowS: false, format: 'der' });
}

const startsWith = (bytes: Uint8Array, beginning: Uint8Array): boolean =>
  beginning.every((byte, at) => bytes[at] === byte);
