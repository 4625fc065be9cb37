import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { BOUNDS } from '@writ/contract';
import { digestOf, startDigest } from '@writ/trust/digest';

export interface WholeLog {
  readonly digest: string;
  readonly size: number;
  /** Base64 where it is short enough to travel with the receipt. */
  readonly inline: string | null;
}

export const EMPTY_LOG: WholeLog = { digest: digestOf(''), size: 0, inline: null };

/**
 * The log of an attempt whose processes are all dead. Short ones are read at once: for a job of a millisecond four
 * calls cost less than a round through the thread pool. `most`: what comes after so many bytes is not kept.
 */
export function readShortLog(path: string, most: number): WholeLog | { readonly size: number } {
  if (most === 0) return EMPTY_LOG;
  const descriptor = openSync(path, 'r');
  try {
    const size = Math.min(fstatSync(descriptor).size, most);
    if (size === 0) return EMPTY_LOG;
    if (size > BOUNDS.inlineLogBytes) return { size };
    const bytes = Buffer.allocUnsafe(size);
    let got = 0;
    while (got < size) {
      const read = readSync(descriptor, bytes, got, size - got, got);
      if (read === 0) break;
      got += read;
    }
    const whole = bytes.subarray(0, got);
    return { digest: digestOf(whole), size: got, inline: whole.toString('base64') };
  } finally {
    closeSync(descriptor);
  }
}

/** Digest of a long log, in constant memory. */
export async function readLongLog(path: string, size: number): Promise<WholeLog> {
  const running = startDigest();
  for await (const chunk of createReadStream(path, { end: size - 1, highWaterMark: 1024 * 1024 }))
    running.update(chunk as Buffer);
  return { digest: running.digest(), size, inline: null };
}
