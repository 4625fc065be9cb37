import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import { startDigest } from '@writ/trust/digest';

export interface LogTail {
  /** How much of the log the server has, or is being sent. */
  readonly taken: number;
  /** Sends what has come since. Calls do not overlap. */
  push(): Promise<void>;
  /** From now on {@link push} reads nothing more: the file may soon be another attempt's. */
  stop(): void;
  /** Sends the rest, up to so many bytes of the file, and says what the server has then. */
  finish(fileBytes: number): Promise<{ readonly digest: string; readonly size: number }>;
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

const CHUNK = 1024 * 1024;

/**
 * Follows one log file of a running attempt. The log is what was sent, not what the file came to be: a job may empty its
 * own log with `> /dev/stderr`, and what the server has cannot be taken back. So each chunk is read once and kept until
 * the server has it.
 */
export function tailLog({ path, mostBytes, send, onBytes }: TailPlace): LogTail {
  let sent = 0;
  let held: Buffer | undefined;
  let readTo = 0;
  let isStopped = false;
  let turn: Promise<unknown> = Promise.resolve();
  const digest = startDigest();

  /** At once: between look and read nothing may happen to the file, and what was just written is in memory. */
  const readNext = (fileBytes: number): Buffer | undefined => {
    const descriptor = openSync(path, 'r');
    try {
      const { size } = fstatSync(descriptor);
      if (size < readTo) readTo = 0;
      const count = Math.min(CHUNK, Math.min(size, fileBytes) - readTo, mostBytes - sent);
      if (count <= 0) return undefined;
      const room = Buffer.allocUnsafe(count);
      const bytes = room.subarray(0, readSync(descriptor, room, 0, count, readTo));
      if (bytes.length === 0) return undefined;
      readTo += bytes.length;
      digest.update(bytes);
      onBytes?.(bytes);
      return bytes;
    } finally {
      closeSync(descriptor);
    }
  };
  const sendAll = async (next: () => Buffer | undefined): Promise<void> => {
    for (held ??= next(); held; held = next()) {
      await send(sent, held.length, Readable.from([held], { objectMode: false }));
      sent += held.length;
    }
  };
  const inTurn = <T>(what: () => Promise<T>): Promise<T> => {
    const mine = turn.then(what);
    // Whoever asked hears how it went; who comes next only waits.
    turn = mine.catch(() => undefined);
    return mine;
  };

  return {
    get taken() {
      return sent + (held?.length ?? 0);
    },
    push: () => inTurn(() => sendAll(() => (isStopped ? undefined : readNext(Number.POSITIVE_INFINITY)))),
    stop: () => void (isStopped = true),
    finish: (fileBytes) =>
      inTurn(async () => {
        await sendAll(() => readNext(fileBytes));
        return { digest: digest.digest(), size: sent };
      }),
  };
}
