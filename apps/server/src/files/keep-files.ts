import type { Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf, startDigest } from '@writ/trust/digest';
import { freeBuffers } from '@writ/trust/node';
import { ifThere } from '../if-there.ts';
import { openTurns } from '../in-turn.ts';
import { FILE_PARTS, type KeptFiles } from '../kept-files.ts';
import { ServerError } from '../server-error.ts';

const READ_BYTES = 1024 * 1024;
const DIGEST = /^sha256:([0-9a-f]{2})([0-9a-f]{62})$/;

/** Uploads whose digest so far is in memory; of the others it is taken from the disk. */
const MOST_HASHES = 256;
const MOST_STAMPS = 20_000;

interface Upload {
  readonly hash: ReturnType<typeof startDigest>;
  offset: number;
}

export async function keepFiles(
  folder: string,
  onDamaged: (digest: string) => void = () => {},
): Promise<KeptFiles> {
  const unfinished = join(folder, 'unfinished');
  const uploads = join(folder, 'uploads');
  await mkdir(uploads, { recursive: true, mode: 0o700 });
  // A stream that was cut leaves its file; an upload is kept, to be gone on with.
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true, mode: 0o700 });

  const hashes = new Map<string, Upload>();
  let streams = 0;

  const pathOf = (digest: string): string => {
    const [, first, rest] = DIGEST.exec(digest) ?? [];
    if (first === undefined || rest === undefined)
      throw new ServerError('not_found', `“${digest}” is not the digest of a file.`);
    return join(folder, first, rest);
  };
  const uploadPath = (digest: string, owner: string): string => {
    const name = pathOf(digest)
      .slice(folder.length + 1)
      .replace('/', '');
    return join(uploads, `${digestOf(owner).slice('sha256:'.length, 39)}-${name}`);
  };
  const sizeOf = async (digest: string): Promise<number | null> =>
    (await ifThere(stat(pathOf(digest))))?.size ?? null;

  const inTurn = openTurns();

  const settle = async (from: string, digest: string): Promise<void> => {
    const target = pathOf(digest);
    await inTurn(target, async () => {
      await mkdir(join(target, '..'), { recursive: true, mode: 0o700 });
      await rename(from, target);
      await syncFolder(join(target, '..'));
      compared(digest, stampOf(await stat(target)));
    });
  };

  /** What each file looked like when its bytes were last compared with its digest. */
  const stamps = new Map<string, string>();
  const compared = (digest: string, stamp: string): void => {
    stamps.delete(digest);
    stamps.set(digest, stamp);
    forgetOldest(stamps, MOST_STAMPS);
  };

  const uploadedOf = async (digest: string, owner: string): Promise<number> =>
    (await ifThere(stat(uploadPath(digest, owner))))?.size ?? 0;

  const appendChunk: KeptFiles['append'] = async (digest, chunk, { offset, total, owner }) => {
    const path = uploadPath(digest, owner);
    const here = await uploadedOf(digest, owner);
    if (here !== offset) {
      throw new ServerError(
        'conflict.state',
        `${here} bytes of this file are here; go on from there, not from ${offset}.`,
      );
    }
    if (offset + chunk.length > total) {
      await rm(path, { force: true });
      hashes.delete(path);
      throw new ServerError('file.digest_wrong', `More bytes came than the ${total} that were announced.`);
    }
    const upload = await hashUpTo(hashes, path, offset);
    const handle = await open(path, 'a', 0o600);
    try {
      await handle.appendFile(chunk);
      if (offset + chunk.length === total) await handle.sync();
    } finally {
      await handle.close();
    }
    upload.hash.update(chunk);
    freeBuffers(chunk.length);
    upload.offset = offset + chunk.length;
    if (upload.offset < total) return { offset: upload.offset, isWhole: false };
    hashes.delete(path);
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
    isSound: async (digest) => {
      const stamp = stamps.get(digest);
      if (stamp === undefined) return false;
      const found = await ifThere(stat(pathOf(digest)));
      return found !== undefined && stampOf(found) === stamp;
    },
    append: async (digest, chunk, at) =>
      await inTurn(uploadPath(digest, at.owner), async () => await appendChunk(digest, chunk, at)).catch(
        (error: unknown) => {
          throw asStorageFault(error);
        },
      ),

    async receive(digest, source, { size, most }) {
      // Before a byte is taken: whether it is a digest at all.
      pathOf(digest);
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
        await settle(path, digest);
        return got.size;
      } catch (error) {
        // What went wrong first is what is told.
        await handle.close().catch(() => {});
        await rm(path, { force: true });
        throw asStorageFault(error);
      }
    },

    remove: async (digest, before) =>
      await inTurn(pathOf(digest), async () => {
        const path = pathOf(digest);
        const found = await ifThere(stat(path));
        if (!found || found.mtimeMs > before) return 0;
        await rm(path, { force: true });
        stamps.delete(digest);
        return found.size;
      }),

    async *listPart(part) {
      for (let first = part; first < 256; first += FILE_PARTS) {
        const start = first.toString(16).padStart(2, '0');
        const names = (await ifThere(readdir(join(folder, start)))) ?? [];
        for (const name of names) if (DIGEST.test(`sha256:${start}${name}`)) yield `sha256:${start}${name}`;
      }
    },

    async *read(digest, { start, end }) {
      const path = pathOf(digest);
      const handle = await open(path, 'r');
      try {
        const found = await handle.stat();
        const isWhole = start === 0 && end === found.size - 1;
        const hash = isWhole && stamps.get(digest) !== stampOf(found) ? startDigest() : null;
        for (let at = start; at <= end;) {
          const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at + 1));
          const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
          if (bytesRead === 0)
            throw new ServerError('server.failed', 'A stored file is shorter than it was.');
          at += bytesRead;
          const bytes = buffer.subarray(0, bytesRead);
          hash?.update(bytes);
          // Known before the last bytes leave, so that nobody takes the file for a whole one.
          if (hash && at > end) {
            if (hash.digest() !== digest) {
              // Its place is free again for whoever has the right bytes.
              await rm(path, { force: true });
              onDamaged(digest);
              throw new ServerError('server.failed', 'This file was damaged on the disk of the server.');
            }
            compared(digest, stampOf(found));
          }
          yield bytes;
          freeBuffers(bytesRead);
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
    const found = await ifThere(stat(path));
    if (!found || found.mtimeMs >= before) continue;
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
    freeBuffers(chunk.length);
  }
  return { size, digest: hash.digest() };
}

/** The digest so far is in memory; after a restart it is taken from the disk. */
async function hashUpTo(hashes: Map<string, Upload>, path: string, offset: number): Promise<Upload> {
  const known = hashes.get(path);
  if (known?.offset === offset) return known;
  const upload: Upload = { hash: startDigest(), offset };
  if (offset > 0) {
    const handle = await open(path, 'r');
    for await (const chunk of handle.createReadStream({ highWaterMark: READ_BYTES }))
      upload.hash.update(chunk);
  }
  hashes.set(path, upload);
  forgetOldest(hashes, MOST_HASHES);
  return upload;
}

const stampOf = ({ size, mtimeMs, ino }: Stats): string => `${size}.${Math.trunc(mtimeMs)}.${ino}`;

function forgetOldest(map: Map<string, unknown>, most: number): void {
  if (map.size <= most) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}

function asStorageFault(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new ServerError(
    'storage.full',
    'The disk of this server is full. Send the file again when there is room. What may go: writ prune --dry-run.',
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
