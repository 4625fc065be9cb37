import { createReadStream } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { OutputFile as ReceiptFile } from '@writ/contract';
import { startDigest } from '@writ/trust/digest';
import { freeBuffers } from '@writ/trust/node';

/** One file as it comes out of the attempt's tar. */
export interface FoundFile {
  readonly path: string;
  readonly bytes: number;
  readonly executable: boolean;
  readonly content: AsyncIterable<Uint8Array>;
}

export interface OutputSending {
  /** For copies of outputs until they are sent: the tar says its digests only at the end. */
  readonly folder: string;
  readonly found: AsyncIterable<FoundFile, void, void>;
  /** Sends the bytes under their digest; resolves when the server has them. */
  readonly send: (digest: string, size: number, open: () => Readable) => Promise<void>;
}

/** What the receipt will say about the outputs, once all of them are with the server. */
export async function sendOutputs({ folder, found, send }: OutputSending): Promise<ReceiptFile[]> {
  const files: ReceiptFile[] = [];
  const sent = new Set<string>();
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    for await (const file of found) {
      const copy = join(folder, String(files.length));
      const { digest, size } = await copyOut(file.content, copy);
      if (!sent.has(digest)) await send(digest, size, () => Readable.from(read(copy), { objectMode: false }));
      sent.add(digest);
      await rm(copy, { force: true });
      files.push({ path: file.path, mode: file.executable ? 'executable' : 'file', digest, size });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

async function* read(copy: string): AsyncIterable<Buffer> {
  for await (const chunk of createReadStream(copy) as AsyncIterable<Buffer>) {
    yield chunk;
    freeBuffers(chunk.length);
  }
}

async function copyOut(
  content: AsyncIterable<Uint8Array>,
  to: string,
): Promise<{ digest: string; size: number }> {
  const running = startDigest();
  let size = 0;
  const file = await open(to, 'wx', 0o600);
  try {
    for await (const chunk of content) {
      running.update(chunk);
      size += chunk.length;
      await file.writeFile(chunk);
      freeBuffers(chunk.length);
    }
  } finally {
    await file.close();
  }
  return { digest: running.digest(), size };
}
