export interface Progress {
  /** Thousandths; null where the line has none. */
  readonly progress: number | null;
  readonly message: string;
}

const MARK = Buffer.from('::writ::');
const LONGEST = 4096;
const MOST_A_SECOND = 10;
const NEWLINE = 10;

/** Finds `::writ::{"progress":0.4,"message":"…"}` at the start of a line of stdout: 4 KiB a line and ten a second at most. */
export function readProgress(
  now: () => number,
  onProgress: (progress: Progress) => void,
): (bytes: Buffer) => void {
  let line = Buffer.alloc(0);
  let isSkipping = false;
  let second = Number.NEGATIVE_INFINITY;
  let count = 0;

  const finish = (): void => {
    const found = parse(line);
    if (!found) return;
    if (now() - second >= 1000) {
      second = now();
      count = 0;
    }
    count += 1;
    if (count <= MOST_A_SECOND) onProgress(found);
  };

  return (bytes) => {
    let from = 0;
    while (from < bytes.length) {
      const end = bytes.indexOf(NEWLINE, from);
      const part = bytes.subarray(from, end < 0 ? bytes.length : end);
      if (!isSkipping) {
        line = Buffer.concat([line, part.subarray(0, LONGEST + 1 - line.length)]);
        isSkipping = line.length > LONGEST || !startsLikeMark(line);
      }
      if (end < 0) return;
      if (!isSkipping) finish();
      line = Buffer.alloc(0);
      isSkipping = false;
      from = end + 1;
    }
  };
}

function startsLikeMark(line: Buffer): boolean {
  const length = Math.min(line.length, MARK.length);
  return line.subarray(0, length).equals(MARK.subarray(0, length));
}

function parse(line: Buffer): Progress | undefined {
  if (!line.subarray(0, MARK.length).equals(MARK)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line.subarray(MARK.length).toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { progress, message } = value as { progress?: unknown; message?: unknown };
  const isShare = typeof progress === 'number' && progress >= 0 && progress <= 1;
  if (!isShare && typeof message !== 'string') return undefined;
  return {
    progress: isShare ? Math.round(progress * 1000) : null,
    message: typeof message === 'string' ? message.normalize('NFC').slice(0, 1000) : '',
  };
}
