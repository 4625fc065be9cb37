import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pemOf } from '../certificates/tls-options.ts';
import type { Authority, NewAuthority } from './create-authority.ts';
import type { RandomBytes } from './new-serial.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';
import { refusal } from './refuse.ts';
import { openSealedKey, type SealedKey, sealKey } from './seal-key.ts';

// `root.json` may be moved to where it is kept offline: `issuing.json` alone is enough to issue.
const rootFile = 'root.json';
const issuingFile = 'issuing.json';

/** Writes a new authority into a folder that must not exist yet. It is there wholly or not at all. */
export async function saveAuthority(
  folder: string,
  authority: NewAuthority,
  secret: Uint8Array,
  randomBytes: RandomBytes,
): Promise<void> {
  const unfinished = `${folder}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  // Side by side, each on a core: sealing a key is slow on purpose.
  await Promise.all([
    sealKey(authority.rootKey, secret, randomBytes).then((sealed) =>
      writePrivateFile(
        join(unfinished, rootFile),
        fileText(authority.rootCertificate, authority.rootCertificate, sealed),
      ),
    ),
    saveIssuing(unfinished, authority, secret, randomBytes),
  ]);
  await syncFolder(unfinished);
  try {
    await rename(unfinished, folder);
  } catch (cause) {
    await rm(unfinished, { recursive: true, force: true });
    if (!existsAlready(cause)) throw cause;
    throw refusal(
      'authority.exists',
      `There is an authority in ${folder} already. It is never overwritten.`,
      cause,
    );
  }
  await syncFolder(dirname(folder));
}

/** Replaces the issuing certificate and its key together. */
export async function saveIssuing(
  folder: string,
  authority: Authority,
  secret: Uint8Array,
  randomBytes: RandomBytes,
): Promise<void> {
  const sealed = await sealKey(authority.issuingKey, secret, randomBytes);
  await writePrivateFile(
    join(folder, issuingFile),
    fileText(authority.rootCertificate, authority.issuingCertificate, sealed),
  );
  await syncFolder(folder);
}

export async function loadAuthority(folder: string, secret: Uint8Array): Promise<Authority> {
  const { root, certificate, key } = await load(join(folder, issuingFile), secret);
  return { rootCertificate: root, issuingCertificate: certificate, issuingKey: key };
}

export async function loadRootKey(folder: string, secret: Uint8Array): Promise<KeyObject> {
  const { key } = await load(join(folder, rootFile), secret);
  return key;
}

function fileText(root: Uint8Array, certificate: Uint8Array, key: SealedKey): string {
  const [rootPem, certificatePem] = pemOf([root, certificate]);
  return `${JSON.stringify({ format: 1, root: rootPem, certificate: certificatePem, key }, null, 2)}\n`;
}

async function load(path: string, secret: Uint8Array) {
  const file = parseFile(path, await readPrivateFile(path));
  const key = await openSealedKey(file.key, secret);
  const certificate = parseCertificate(path, file.certificate);
  if (!createPublicKey(key).equals(certificate.publicKey)) {
    throw refusal(
      'authority.unreadable',
      `${path} holds a key and a certificate that do not belong together.`,
    );
  }
  return {
    root: new Uint8Array(parseCertificate(path, file.root).raw),
    certificate: new Uint8Array(certificate.raw),
    key,
  };
}

function parseFile(path: string, text: string): { root: string; certificate: string; key: SealedKey } {
  let file: Partial<Record<string, unknown>> = {};
  try {
    file = JSON.parse(text);
    const { format, root, certificate, key } = file;
    if (format === 1 && typeof root === 'string' && typeof certificate === 'string' && isSealedKey(key)) {
      return { root, certificate, key };
    }
  } catch (cause) {
    throw refusal('authority.unreadable', `${path} is not JSON. Restore it from a backup.`, cause);
  }
  throw refusal(
    'authority.unreadable',
    `${path} is not of a format that this version reads. Restore it or update.`,
  );
}

function parseCertificate(path: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw refusal('authority.unreadable', `${path} holds no certificate. Restore it from a backup.`, cause);
  }
}

function isSealedKey(key: unknown): key is SealedKey {
  if (typeof key !== 'object' || key === null) return false;
  const { kdf, cipher, salt, nonce, sealed }: Partial<Record<keyof SealedKey, unknown>> = key;
  return (
    kdf === 'scrypt-32768-8-1' &&
    cipher === 'aes-256-gcm' &&
    [salt, nonce, sealed].every((value) => typeof value === 'string')
  );
}

function existsAlready(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOTEMPTY' || error.code === 'EEXIST');
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
