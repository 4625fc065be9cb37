import { open } from 'node:fs/promises';

const MOST_BYTES = 512 * 1024;

/** The last lines of a log that may be long. */
export async function readLog(file: string): Promise<string> {
  try {
    await using handle = await open(file, 'r');
    const { size } = await handle.stat();
    const from = Math.max(0, size - MOST_BYTES);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(size - from), 0, size - from, from);
    const text = buffer.subarray(0, bytesRead).toString('utf8');
    return from === 0 ? text : text.slice(text.indexOf('\n') + 1);
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n`;
  }
}
