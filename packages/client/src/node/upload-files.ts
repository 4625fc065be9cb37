import { open } from 'node:fs/promises';
import { sha256 } from '@writ/trust/digest';
import { freeBuffers } from '@writ/trust/node';
import { ClientError } from '../client-error.ts';
import { type Client, UPLOAD_CHUNK_BYTES } from '../connect.ts';
import { isPassing } from '../follow-job.ts';
import type { InputSource } from './collect-inputs.ts';

/** How files are sent. */
export interface Uploading {
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Waits that many milliseconds, or until the signal. */
  readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Told of each chunk that the server has taken. */
  readonly onBytes?: ((sent: number) => void) | undefined;
}

const mostAsked = 10_000;
const mostFailures = 8;

/**
 * Sends the files that the server does not have yet, chunk by chunk, in constant memory. After a lost connection it goes
 * on where the server stopped.
 *
 * @returns how many files and bytes were really sent.
 */
export async function uploadFiles(
  client: Client,
  sources: readonly InputSource[],
  uploading: Uploading,
): Promise<{ files: number; bytes: number }> {
  let files = 0;
  let bytes = 0;
  for (let at = 0; at < sources.length; at += mostAsked) {
    const asked = sources.slice(at, at + mostAsked);
    const missing = new Set(await client.askFiles(asked.map(({ digest, size }) => ({ digest, size }))));
    for (const source of asked.filter(({ digest }) => missing.has(digest))) {
      bytes += await uploadFile(client, source, uploading);
      files += 1;
    }
  }
  return { files, bytes };
}

async function uploadFile(client: Client, source: InputSource, uploading: Uploading): Promise<number> {
  const { signal, wait, onBytes } = uploading;
  await using bytes = await openSource(source);
  let sent = 0;
  let failures = 0;
  let offset = 0;
  let isKnown = true;
  for (;;) {
    signal.throwIfAborted();
    try {
      if (!isKnown) offset = await client.readUpload(source.digest);
      isKnown = true;
      const chunk = await bytes.read(offset, Math.min(UPLOAD_CHUNK_BYTES, source.size - offset));
      const sum = Buffer.from(sha256(chunk)).toString('base64');
      offset = await client.appendUpload(source.digest, {
        offset,
        length: source.size,
        bytes: chunk,
        sha256: sum,
      });
      if (!Number.isSafeInteger(offset))
        throw new ClientError('answer.malformed', 'The server did not say how much of a file it has.');
      sent += chunk.length;
      freeBuffers(chunk.length);
      onBytes?.(chunk.length);
      failures = 0;
      if (offset >= source.size) return sent;
    } catch (error) {
      if (error instanceof ClientError && error.code === 'file.digest_wrong') throw changed(source, error);
      const isElsewhere = error instanceof ClientError && error.code === 'conflict.state';
      failures += 1;
      if ((!isPassing(error) && !isElsewhere) || failures > mostFailures) throw error;
      isKnown = false;
      if (!isElsewhere) await wait(100 * 2 ** failures, signal);
    }
  }
}

interface OpenSource extends AsyncDisposable {
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

async function openSource(source: InputSource): Promise<OpenSource> {
  const { from } = source;
  if ('bytes' in from) {
    return {
      read: (offset, length) => Promise.resolve(from.bytes.subarray(offset, offset + length)),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  const handle = await open(from.file, 'r');
  const buffer = new Uint8Array(Math.min(UPLOAD_CHUNK_BYTES, source.size));
  return {
    async read(offset, length) {
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled);
        if (bytesRead === 0) throw changed(source);
        filled += bytesRead;
      }
      return buffer.subarray(0, length);
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

const changed = (source: InputSource, cause?: unknown): ClientError => {
  const name = 'file' in source.from ? source.from.file : 'the list of inputs';
  return new ClientError(
    'input.changed',
    `${name} changed while it was sent. Nothing was submitted: run the command again.`,
    { cause },
  );
};
