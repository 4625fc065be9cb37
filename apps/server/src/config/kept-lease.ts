import { readFileSync, writeFileSync } from 'node:fs';

/** Bounds of a lease, in seconds. */
export const isLease = (seconds: number): boolean => seconds >= 0.2 && seconds <= 3_600;

/** For how long tasks are leased: as it is asked for now, or was the last time, or as usual. */
export function keepLease(file: string, asked: number | undefined, usual: number): number {
  const kept = readKept(file);
  if (asked === undefined) return kept ?? usual;
  if (asked !== kept) writeFileSync(file, `${asked}\n`, { mode: 0o600 });
  return asked;
}

function readKept(file: string): number | undefined {
  try {
    const text = readFileSync(file, 'utf8').trim();
    // Torn: it is as if it had never been said.
    return text !== '' && isLease(Number(text)) ? Number(text) : undefined;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
