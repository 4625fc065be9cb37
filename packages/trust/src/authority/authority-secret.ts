import { access } from 'node:fs/promises';
import type { RandomBytes } from './new-serial.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';
import { refusal } from './refuse.ts';

/**
 * The secret that opens the authority's keys, made at the first start. It protects copies and backups of the
 * keys that do not hold this file, so keep it out of them; who can read both files has the keys.
 */
export async function loadOrCreateSecret(path: string, randomBytes: RandomBytes): Promise<Uint8Array> {
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (!exists) await writePrivateFile(path, `${Buffer.from(randomBytes(32)).toString('hex')}\n`);
  return await loadSecret(path);
}

/** The one that was made, and never another: what it sealed cannot be opened with any other. */
export async function loadSecret(path: string): Promise<Uint8Array> {
  const text = (await readPrivateFile(path)).trim();
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw refusal('authority.unreadable', `${path} is not 64 hexadecimal digits. Restore it from a backup.`);
  }
  return Buffer.from(text, 'hex');
}
