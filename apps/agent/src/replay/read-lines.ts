import { createReadStream } from 'node:fs';

/**
 * Calls back for each line of a file, in constant memory. A line ends at `\n` alone: JSON leaves U+2028 as it is, where
 * Node's readline would cut. False when the last line has no end.
 */
export async function readLines(
  path: string,
  onLine: (line: string) => Promise<void> | void,
): Promise<boolean> {
  let held: Buffer[] = [];
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    const bytes = chunk as Buffer;
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      const part = bytes.subarray(from, end);
      const due = onLine((held.length > 0 ? Buffer.concat([...held, part]) : part).toString('utf8'));
      // Most lines need not be waited for, and are not.
      if (due) await due;
      held = [];
      from = end + 1;
    }
    if (from < bytes.length) held.push(bytes.subarray(from));
  }
  if (held.length === 0) return true;
  await onLine(Buffer.concat(held).toString('utf8'));
  return false;
}
