import { rename, writeFile } from 'node:fs/promises';
import type { AddressFile } from './running-server.ts';

/** Whoever reads it meanwhile finds the one before, whole. */
export async function writeAddress(path: string, address: AddressFile): Promise<void> {
  await writeFile(`${path}.new`, `${JSON.stringify(address)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
