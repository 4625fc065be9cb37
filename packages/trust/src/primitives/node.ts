import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  hkdfSync,
  sign,
  verify,
} from 'node:crypto';

/** The primitives as Node has them. Whatever else this package does is plain JavaScript over these. */

export const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');
export const sha256Hex = (bytes: Uint8Array | string): string => hash('sha256', bytes, 'hex');

export function startSha256(): { update(chunk: Uint8Array): void; hex(): string } {
  const state = createHash('sha256');
  return { update: (chunk) => void state.update(chunk), hex: () => state.digest('hex') };
}

export const deriveKey = (secret: Uint8Array, purpose: string): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), purpose, 32));

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');

export function ed25519FromSeed(seed: Uint8Array): {
  publicKey: Uint8Array;
  sign(bytes: Uint8Array): Uint8Array;
} {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(key)
    .export({ format: 'der', type: 'spki' })
    .subarray(SPKI_ED25519.length);
  return { publicKey, sign: (bytes) => sign(null, bytes, key) };
}

export interface P256Pair {
  /** PKCS#8, DER. */
  readonly privateKey: Uint8Array;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
}

export function generateP256(): P256Pair {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    privateKey: pair.privateKey.export({ format: 'der', type: 'pkcs8' }),
    publicKey: pair.publicKey.export({ format: 'der', type: 'spki' }),
  };
}

/** Signatures are ECDSA with SHA-256 in DER. */
export function p256FromPkcs8(privateKey: Uint8Array): {
  publicKey: Uint8Array;
  sign(bytes: Uint8Array): Uint8Array;
} {
  const key = createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs8' });
  return {
    publicKey: createPublicKey(key).export({ format: 'der', type: 'spki' }),
    sign: (bytes) => sign('sha256', bytes, key),
  };
}

export type Verify = (bytes: Uint8Array, signature: Uint8Array) => boolean;

/** Reads a key, which costs as much as a signature. */
export function ed25519Verifier(publicKey: Uint8Array): Verify {
  const key = createPublicKey({
    key: Buffer.concat([SPKI_ED25519, publicKey]),
    format: 'der',
    type: 'spki',
  });
  return (bytes, signature) => verify(null, bytes, key, signature);
}

/** @throws for bytes that are not a P-256 SubjectPublicKeyInfo. */
export function p256Verifier(spki: Uint8Array): Verify {
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new TypeError('this is no P-256 key');
  return (bytes, signature) => verify('sha256', bytes, key, signature);
}
