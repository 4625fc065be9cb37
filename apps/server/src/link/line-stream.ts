import type { Readable, Writable } from 'node:stream';

/** JSON messages, one a line. What one turn of the event loop sends is one write. */
export interface LineStream {
  send(message: unknown): void;
  /** Sends what is left, then ends. */
  end(): void;
}

const MOST_LINE_BYTES = 16 * 1024 * 1024;
const MOST_WAITING_BYTES = 64 * 1024 * 1024;

export class LineFault extends Error {
  override readonly name = 'LineFault';
  readonly code: 'link.line_too_long' | 'link.malformed' | 'link.slow';

  constructor(code: LineFault['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export function sendLines(to: Writable, onFault: (fault: LineFault) => void): LineStream {
  let waiting: string[] = [];
  let isScheduled = false;
  let isEnded = false;

  const flush = (): void => {
    isScheduled = false;
    if (waiting.length === 0 || to.destroyed || to.writableEnded) return;
    const text = waiting.join('');
    waiting = [];
    to.write(text);
    if (to.writableLength > MOST_WAITING_BYTES)
      onFault(new LineFault('link.slow', 'The peer does not read what it is sent.'));
  };

  return {
    send(message) {
      if (isEnded) return;
      waiting.push(`${JSON.stringify(message)}\n`);
      if (isScheduled) return;
      isScheduled = true;
      // After all promises that this turn settles: their messages go along.
      setImmediate(flush);
    },
    end() {
      if (isEnded) return;
      flush();
      isEnded = true;
      if (!to.destroyed) to.end();
    },
  };
}

/** Calls `onLines` with all messages that arrived together. */
export function readLines(
  from: Readable,
  onLines: (messages: unknown[]) => void,
  onFault: (fault: LineFault) => void,
): void {
  let rest: Buffer[] = [];
  let restBytes = 0;
  let isOver = false;

  const fail = (fault: LineFault): void => {
    isOver = true;
    from.pause();
    onFault(fault);
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
    const text = Buffer.concat([...rest, chunk.subarray(0, last)]).toString('utf8');
    rest = last + 1 < chunk.length ? [chunk.subarray(last + 1)] : [];
    restBytes = chunk.length - last - 1;
    const messages: unknown[] = [];
    try {
      for (const line of text.split('\n')) if (line !== '') messages.push(JSON.parse(line));
    } catch {
      fail(new LineFault('link.malformed', 'A line is not JSON.'));
      return;
    }
    onLines(messages);
  });
}
