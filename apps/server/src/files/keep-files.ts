import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { startDigest } from '@writ/trust/digest';
import type { KeptFiles } from '../kept-files.ts';
import { ServerError } from '../server-error.ts';

const READ_BYTES = 1024 * 1024;
const DIGEST = /^sha256:([0-9a-f]{2})([0-9a-f]{62})$/;

interface Upload {
  readonly hash: ReturnType<typeof startDigest>;
  offset: number;
}

export async function keepFiles(folder: string): Promise<KeptFiles> {
  const unfinished = join(folder, 'unfinished');
  const uploads = join(folder, 'uploads');
  await mkdir(uploads, { recursive: true, mode: 0o700 });
  // A stream that was cut leaves its file; an upload is kept, to be gone on with.
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true, mode: 0o700 });

  const hashes = new Map<string, Upload>();
  const turns = new Map<string, Promise<unknown>>();
  let streams = 0;

  const pathOf = (digest: string): string => {
    const [, first, rest] = DIGEST.exec(digest) ?? [];
    if (first === undefined || rest === undefined)
      throw new ServerError('not_found', `“${digest}” is not the digest of a file.`);
    return join(folder, first, rest);
  };
  const uploadPath = (digest: string): string =>
    join(
      uploads,
      pathOf(digest)
        .slice(folder.length + 1)
        .replace('/', ''),
    );
  const sizeOf = async (digest: string): Promise<number | null> =>
    await stat(pathOf(digest)).then(
      (found) => found.size,
      () => null,
    );

  /** One at a time for one digest. */
  const inTurn = async <T>(digest: string, act: () => Promise<T>): Promise<T> => {
    const before = turns.get(digest) ?? Promise.resolve();
    const mine = before.then(act, act);
    const settled = mine.catch(() => {});
    turns.set(digest, settled);
    try {
      return await mine;
    } finally {
      if (turns.get(digest) === settled) turns.delete(digest);
    }
  };

  const settle = async (from: string, digest: string): Promise<void> => {
    const target = pathOf(digest);
    await mkdir(join(target, '..'), { recursive: true, mode: 0o700 });
    await rename(from, target);
    await syncFolder(join(target, '..'));
  };

  const uploadedOf = async (digest: string): Promise<number> =>
    await stat(uploadPath(digest)).then(
      (found) => found.size,
      () => 0,
    );

  const appendChunk: KeptFiles['append'] = async (digest, chunk, { offset, total }) => {
    const path = uploadPath(digest);
    const here = await uploadedOf(digest);
    if (here !== offset) {
      throw new ServerError(
        'conflict.state',
        `${here} bytes of this file are here; go on from there, not from ${offset}.`,
      );
    }
    if (offset + chunk.length > total) {
      await rm(path, { force: true });
      hashes.delete(digest);
      throw new ServerError('file.digest_wrong', `More bytes came than the ${total} that were announced.`);
    }
    const upload = await hashUpTo(hashes, digest, path, offset);
    const handle = await open(path, 'a', 0o600);
    try {
      await handle.appendFile(chunk);
      if (offset + chunk.length === total) await handle.sync();
    } finally {
      await handle.close();
    }
    upload.hash.update(chunk);
    upload.offset = offset + chunk.length;
    if (upload.offset < total) return { offset: upload.offset, isWhole: false };
    hashes.delete(digest);
    const digestHere = upload.hash.digest();
    if (digestHere !== digest) {
      await rm(path, { force: true });
      throw new ServerError(
        'file.digest_wrong',
        `The bytes that came have the digest ${digestHere}. Send the file again from its beginning.`,
      );
    }
    await settle(path, digest);
    return { offset: total, isWhole: true };
  };

  return {
    sizeOf,
    uploadedOf,
    append: async (digest, chunk, at) =>
      await inTurn(digest, async () => await appendChunk(digest, chunk, at)),

    async receive(digest, source, { size, most }) {
      const target = pathOf(digest);
      const path = join(unfinished, `${(streams += 1)}`);
      const handle = await open(path, 'wx', 0o600);
      try {
        const got = await writeAll(handle, source, size ?? most);
        if (size !== undefined && got.size !== size) {
          throw new ServerError('file.digest_wrong', `${got.size} bytes came instead of ${size}.`);
        }
        if (got.digest !== digest)
          throw new ServerError('file.digest_wrong', `The bytes that came have the digest ${got.digest}.`);
        await handle.sync();
        await handle.close();
        await mkdir(join(target, '..'), { recursive: true, mode: 0o700 });
        await rename(path, target);
        await syncFolder(join(target, '..'));
        return got.size;
      } catch (error) {
        await handle.close().catch(() => {});
        await rm(path, { force: true });
        throw asStorageFault(error);
      }
    },

    async *read(digest, { start, end }) {
      const handle = await open(pathOf(digest), 'r');
      try {
        for (let at = start; at <= end;) {
          const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at + 1));
          const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
          if (bytesRead === 0)
            throw new ServerError('server.failed', 'A stored file is shorter than it was.');
          at += bytesRead;
          yield buffer.subarray(0, bytesRead);
        }
      } finally {
        await handle.close();
      }
    },
  };
}

/** Files that nobody finished sending for a while. @returns how many were removed. */
export async function removeOldUploads(folder: string, before: number): Promise<number> {
  const uploads = join(folder, 'uploads');
  let removed = 0;
  for (const name of await readdir(uploads)) {
    const path = join(uploads, name);
    const found = await stat(path).catch(() => null);
    if (found === null || found.mtimeMs >= before) continue;
    await rm(path, { force: true });
    removed += 1;
  }
  return removed;
}

async function writeAll(
  handle: FileHandle,
  source: AsyncIterable<Uint8Array>,
  most: number,
): Promise<{ size: number; digest: string }> {
  const hash = startDigest();
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > most) throw new ServerError('request.too_large', `More than the ${most} bytes allowed came.`);
    hash.update(chunk);
    await handle.appendFile(chunk);
  }
  return { size, digest: hash.digest() };
}

/** The digest so far is in memory; after a restart it is taken from the disk. */
async function hashUpTo(
  hashes: Map<string, Upload>,
  digest: string,
  path: string,
  offset: number,
): Promise<Upload> {
  const known = hashes.get(digest);
  if (known?.offset === offset) return known;
  const upload: Upload = { hash: startDigest(), offset };
  if (offset > 0) {
    const handle = await open(path, 'r');
    for await (const chunk of handle.createReadStream({ highWaterMark: READ_BYTES }))
      upload.hash.update(chunk);
  }
  hashes.set(digest, upload);
  return upload;
}

function asStorageFault(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new ServerError(
    'storage.full',
    'The disk of this server is full. Remove something, then send the file again.',
    [],
    { cause: error },
  );
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
