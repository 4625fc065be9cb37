import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  type KeyObject,
  scrypt,
  type ScryptOptions,
} from 'node:crypto';
import type { RandomBytes } from './new-serial.ts';
import { refusal } from './refuse.ts';

/** A private key encrypted under a secret: scrypt, then AES-256-GCM. All values are base64. */
export interface SealedKey {
  readonly kdf: 'scrypt-32768-8-1';
  readonly cipher: 'aes-256-gcm';
  readonly salt: string;
  readonly nonce: string;
  readonly sealed: string;
}

const cost: ScryptOptions = { N: 32_768, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };
const tagBytes = 16;

export async function sealKey(
  key: KeyObject,
  secret: Uint8Array,
  randomBytes: RandomBytes,
): Promise<SealedKey> {
  const salt = Buffer.from(randomBytes(16));
  const nonce = Buffer.from(randomBytes(12));
  const cipher = createCipheriv('aes-256-gcm', await deriveKey(secret, salt), nonce, {
    authTagLength: tagBytes,
  });
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  const sealed = Buffer.concat([cipher.update(pkcs8), cipher.final(), cipher.getAuthTag()]);
  return {
    kdf: 'scrypt-32768-8-1',
    cipher: 'aes-256-gcm',
    salt: salt.toString('base64'),
    nonce: nonce.toString('base64'),
    sealed: sealed.toString('base64'),
  };
}

export async function openSealedKey(key: SealedKey, secret: Uint8Array): Promise<KeyObject> {
  const sealed = Buffer.from(key.sealed, 'base64');
  const aesKey = await deriveKey(secret, Buffer.from(key.salt, 'base64'));
  try {
    const decipher = createDecipheriv('aes-256-gcm', aesKey, Buffer.from(key.nonce, 'base64'), {
      authTagLength: tagBytes,
    });
    decipher.setAuthTag(sealed.subarray(-tagBytes));
    const pkcs8 = Buffer.concat([decipher.update(sealed.subarray(0, -tagBytes)), decipher.final()]);
    return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  } catch (cause) {
    throw refusal(
      'authority.secret_wrong',
      "The authority's key does not open with this secret, or its file was changed. Restore both from one backup.",
      cause,
    );
  }
}

async function deriveKey(secret: Uint8Array, salt: Uint8Array): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    scrypt(secret, salt, 32, cost, (error, derived) => (error === null ? resolve(derived) : reject(error)));
  });
}
