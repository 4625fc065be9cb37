import { isUtf8 } from 'node:buffer';
import type { Readable, Writable } from 'node:stream';

/** JSON messages, one a line. What one turn of the event loop sends is one write. */
export interface LineStream {
  send(message: unknown): void;
  /** Sends what is left, then ends. */
  end(): void;
  /** So much waits to be read by the peer that what can wait should. */
  readonly isFull: boolean;
  /** Resolves when it is not full, or there is nobody to read any more. */
  roomy(): Promise<void>;
}

export interface LineReading {
  /** Nothing more is read until the returned function is called: the peer's own buffers fill instead of ours. */
  hold(): () => void;
}

/** More than the longest message that an agent makes: one receipt at its bound, with its logs. */
const MOST_LINE_BYTES = 8 * 1024 * 1024;
/** Read and not dealt with yet. */
const MOST_UNHANDLED_BYTES = 4 * 1024 * 1024;
const MUCH_UNREAD_BYTES = 4 * 1024 * 1024;
const MOST_UNREAD_BYTES = 32 * 1024 * 1024;

export class LineFault extends Error {
  override readonly name = 'LineFault';
  readonly code: 'link.line_too_long' | 'link.malformed' | 'link.slow';

  constructor(code: LineFault['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export interface Sending {
  readonly onFault: (fault: LineFault) => void;
  /** Much waits to be read; everything has been read again. */
  readonly onFull: () => void;
  readonly onRoom: () => void;
}

export function sendLines(to: Writable, { onFault, onFull, onRoom }: Sending): LineStream {
  let waiting: string[] = [];
  let waitingLength = 0;
  let isScheduled = false;
  let isEnded = false;
  let isFull = false;
  let isFaulty = false;

  const flush = (): void => {
    isScheduled = false;
    if (waiting.length === 0 || to.destroyed || to.writableEnded) return;
    const text = waiting.join('');
    waiting = [];
    waitingLength = 0;
    to.write(text);
    if (to.writableLength <= MUCH_UNREAD_BYTES) return;
    if (!isFull) {
      isFull = true;
      to.once('drain', () => {
        isFull = false;
        onRoom();
      });
      onFull();
    }
    if (to.writableLength > MOST_UNREAD_BYTES && !isFaulty) {
      // What is said about it would be written too.
      isFaulty = true;
      onFault(new LineFault('link.slow', 'The peer does not read what it is sent.'));
    }
  };

  return {
    get isFull() {
      return isFull || waitingLength > MUCH_UNREAD_BYTES;
    },
    send(message) {
      if (isEnded) return;
      const line = `${JSON.stringify(message)}\n`;
      waiting.push(line);
      waitingLength += line.length;
      if (isScheduled) return;
      isScheduled = true;
      // After all promises that this turn settles: their messages go along.
      setImmediate(flush);
    },
    async roomy() {
      flush();
      if (!isFull || to.destroyed) return;
      await new Promise<void>((resolve) => {
        const go = (): void => {
          to.off('drain', go);
          to.off('close', go);
          resolve();
        };
        to.on('drain', go);
        to.on('close', go);
      });
    },
    end() {
      if (isEnded) return;
      flush();
      isEnded = true;
      if (!to.destroyed) to.end();
    },
  };
}

/** Calls `onLines` with all lines that arrived together; it returns what is still to be done with them. */
export function readLines(
  from: Readable,
  onLines: (lines: readonly string[]) => Promise<unknown> | null,
  onFault: (fault: LineFault) => void,
): LineReading {
  let rest: Buffer[] = [];
  let restBytes = 0;
  let isOver = false;
  let holds = 0;
  let unhandled = 0;
  let letGo: (() => void) | null = null;

  const hold = (): (() => void) => {
    holds += 1;
    from.pause();
    return () => {
      holds -= 1;
      if (holds === 0 && !isOver) from.resume();
    };
  };

  const fail = (fault: LineFault): void => {
    isOver = true;
    from.pause();
    onFault(fault);
  };

  const waitFor = (handling: Promise<unknown>, bytes: number): void => {
    unhandled += bytes;
    if (unhandled > MOST_UNHANDLED_BYTES) letGo ??= hold();
    const done = (): void => {
      unhandled -= bytes;
      if (unhandled > MOST_UNHANDLED_BYTES / 2) return;
      letGo?.();
      letGo = null;
    };
    // What fails in it is told by whoever handles it.
    handling.finally(done).catch(() => {});
  };

  from.on('data', (chunk: Buffer) => {
    if (isOver) return;
    const last = chunk.lastIndexOf(10);
    if (last === -1) {
      rest.push(chunk);
      restBytes += chunk.length;
      if (restBytes > MOST_LINE_BYTES)
        fail(new LineFault('link.line_too_long', `A message has more than ${MOST_LINE_BYTES} bytes.`));
      return;
    }
    const bytes = Buffer.concat([...rest, chunk.subarray(0, last)]);
    rest = last + 1 < chunk.length ? [chunk.subarray(last + 1)] : [];
    restBytes = chunk.length - last - 1;
    if (!isUtf8(bytes)) {
      fail(new LineFault('link.malformed', 'A line is not in UTF-8.'));
      return;
    }
    const handling = onLines(
      bytes
        .toString('utf8')
        .split('\n')
        .filter((line) => line !== ''),
    );
    if (handling) waitFor(handling, bytes.length);
  });
  return { hold };
}
