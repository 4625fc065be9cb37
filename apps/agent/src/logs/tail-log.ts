import { createReadStream, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';

export interface LogTail {
  /** How much of the file the server has. */
  readonly sent: number;
  /** Sends what has come since. Calls do not overlap. `most`: where the file ends for the receipt. */
  push(most?: number): Promise<void>;
}

export interface TailPlace {
  readonly path: string;
  /** A job may write more than it may before it is stopped: nobody takes what comes after so many bytes. */
  readonly mostBytes: number;
  /** Appends these bytes at this offset on the server; resolves when it has them. */
  readonly send: (offset: number, size: number, bytes: Readable) => Promise<void>;
  /** Sees each new chunk of the live log: progress lines are found there. */
  readonly onBytes?: (bytes: Buffer) => void;
}

const CHUNK = 4 * 1024 * 1024;
const SEEN_AT_ONCE = 64 * 1024;

/** Follows one log file of a running attempt. */
export function tailLog({ path, mostBytes, send, onBytes }: TailPlace): LogTail {
  let sent = 0;
  let seen = 0;
  let turn: Promise<void> = Promise.resolve();

  const look = async (size: number): Promise<void> => {
    if (!onBytes || seen >= size) return;
    const file = await open(path, 'r');
    try {
      const bytes = Buffer.allocUnsafe(SEEN_AT_ONCE);
      while (seen < size) {
        const { bytesRead } = await file.read(bytes, 0, Math.min(SEEN_AT_ONCE, size - seen), seen);
        if (bytesRead === 0) return;
        seen += bytesRead;
        onBytes(bytes.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  };
  const pushNow = async (most?: number): Promise<void> => {
    const size = Math.min(most ?? statSync(path).size, mostBytes);
    await look(size);
    while (sent < size) {
      const count = Math.min(CHUNK, size - sent);
      await send(
        sent,
        count,
        createReadStream(path, { start: sent, end: sent + count - 1, highWaterMark: 256 * 1024 }),
      );
      sent += count;
    }
  };

  return {
    get sent() {
      return sent;
    },
    push(most) {
      const next = turn.then(() => pushNow(most));
      turn = next.catch(() => undefined);
      return next;
    },
  };
}
