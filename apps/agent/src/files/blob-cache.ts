import { constants } from 'node:fs';
import { copyFile, chmod, lstat, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { inputManifestCheck, readMessage } from '@writ/contract';
import type { InputFile, Inputs } from '@writ/contract';
import { checkInputPaths, refuse } from '@writ/trust';
import { startDigest } from '@writ/trust/digest';
import { freeBuffers } from '@writ/trust/node';

export interface CachePlace {
  readonly folder: string;
  /** Bytes of a file that one of my leases names. Rejects when they are not to be had. */
  readonly fetch: (digest: string) => Promise<Readable>;
  readonly mostBytes: number;
  readonly now: () => number;
  /** Inputs of runs that have not begun, however long they have waited. */
  readonly needed: () => Iterable<InputFile>;
}

/** Inputs by digest: a blob is there whole and right, or not at all. One that is found changed is thrown away and fetched anew. */
export interface BlobCache {
  /** Check 12: every input is here, byte for byte. @throws TrustError `input.…` */
  bring(inputs: Inputs): Promise<readonly InputFile[]>;
}

const MODES = { file: 0o444, executable: 0o555 } as const;
/** What was asked for so lately may be for a lease that is being judged. */
const IN_USE = 3_600_000;
const SHELF = /^[0-9a-f]{64}(\.x)?$/;

export async function openBlobCache({
  folder,
  fetch,
  mostBytes,
  now,
  needed,
}: CachePlace): Promise<BlobCache> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const blobs = await readBlobs(folder);
  let bytes = [...blobs.values()].reduce((sum, blob) => sum + blob.size, 0);
  const coming = new Map<string, Promise<void>>();
  let parts = 0;

  const nameOf = (digest: string, mode: InputFile['mode']): string =>
    digest.slice('sha256:'.length) + (mode === 'executable' ? '.x' : '');

  const isThere = async (name: string): Promise<boolean> => {
    const blob = blobs.get(name);
    if (!blob) return false;
    blob.used = now();
    const face = await faceOf(join(folder, name));
    if (face !== undefined && face === blob.verified) return true;
    if (face !== undefined && (await digestOfFile(join(folder, name))) === digestNamed(name)) {
      blob.verified = face;
      return true;
    }
    blobs.delete(name);
    bytes -= blob.size;
    await rm(join(folder, name), { force: true });
    return false;
  };
  const shelve = async (name: string, size: number): Promise<void> => {
    blobs.set(name, { size, used: now(), verified: await faceOf(join(folder, name)) });
    bytes += size;
    if (bytes <= mostBytes) return;
    const names = new Set(Array.from(needed(), (file) => nameOf(file.digest, file.mode)));
    for (const [old, blob] of [...blobs].toSorted(([, a], [, b]) => a.used - b.used)) {
      if (bytes <= mostBytes || blob.used > now() - IN_USE) return;
      if (names.has(old)) continue;
      blobs.delete(old);
      bytes -= blob.size;
      await rm(join(folder, old), { force: true });
    }
  };

  const once = (key: string, make: () => Promise<void>): Promise<void> => {
    const known = coming.get(key);
    if (known) return known;
    const making = make().finally(() => coming.delete(key));
    coming.set(key, making);
    return making;
  };

  const download = async (digest: string, size: number, name: string): Promise<void> => {
    const part = join(folder, `part-${(parts += 1)}`);
    const source = await fetch(digest).catch((cause: unknown) => {
      throw refuse(
        'input.unavailable',
        `the server did not give ${digest}: ${cause instanceof Error ? cause.message : String(cause)}`,
      );
    });
    const file = await open(part, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      await writeChecked(source, file, digest, size);
      await file.chmod(MODES.file);
      await file.sync();
      await file.close();
      await rename(part, join(folder, name));
      await shelve(name, size);
    } catch (error) {
      source.destroy();
      await file.close().catch(() => undefined);
      await rm(part, { force: true });
      throw error;
    }
  };

  const bringOne = async ({
    digest,
    size,
    mode,
  }: Pick<InputFile, 'digest' | 'size' | 'mode'>): Promise<void> => {
    const plain = nameOf(digest, 'file');
    await once(plain, async () => {
      if (!(await isThere(plain))) await download(digest, size, plain);
    });
    // The digest alone does not bind the size that the order names.
    if (blobs.get(plain)?.size !== size)
      throw refuse(
        'input.digest_wrong',
        `${digest} has ${blobs.get(plain)?.size ?? 0} bytes, the order says ${size}`,
      );
    if (mode === 'file') return;
    const executable = nameOf(digest, 'executable');
    await once(executable, async () => {
      if (await isThere(executable)) return;
      await copyExecutable(
        join(folder, plain),
        join(folder, executable),
        join(folder, `part-${(parts += 1)}`),
      );
      await shelve(executable, size);
    });
  };

  return {
    async bring(inputs) {
      if (inputs.is === 'list') {
        await inTurn(inputs.files, bringOne);
        return inputs.files;
      }
      await bringOne({ digest: inputs.digest, size: inputs.size, mode: 'file' });
      const files = readManifest(await readFile(join(folder, nameOf(inputs.digest, 'file')), 'utf8'), inputs);
      await inTurn(files, bringOne);
      return files;
    },
  };
}

/** Four at a time: enough to fill a link, few enough to leave it to others. */
async function inTurn(files: readonly InputFile[], bring: (file: InputFile) => Promise<void>): Promise<void> {
  const rest = [...files].reverse();
  const lane = async (): Promise<void> => {
    for (let file = rest.pop(); file; file = rest.pop()) await bring(file);
  };
  await Promise.all(Array.from({ length: Math.min(4, files.length) }, lane));
}

async function writeChecked(
  bytes: Readable,
  file: Awaited<ReturnType<typeof open>>,
  digest: string,
  size: number,
): Promise<void> {
  const running = startDigest();
  let got = 0;
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    got += chunk.length;
    if (got > size)
      throw refuse('input.digest_wrong', `${digest} is larger than the ${size} bytes that the order names`);
    running.update(chunk);
    await file.writeFile(chunk);
    freeBuffers(chunk.length);
  }
  if (got < size) throw refuse('input.unavailable', `${digest} ended after ${got} of ${size} bytes`);
  if (running.digest() !== digest)
    throw refuse('input.digest_wrong', `the bytes that came for ${digest} are others`);
}

async function copyExecutable(from: string, to: string, part: string): Promise<void> {
  try {
    await copyFile(from, part);
    await chmod(part, MODES.executable);
    await rename(part, to);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

function readManifest(text: string, inputs: Extract<Inputs, { is: 'manifest' }>): InputFile[] {
  const read = readMessage(text, inputManifestCheck);
  if ('fault' in read)
    throw refuse('input.malformed', `the manifest of the inputs does not count: ${read.fault}`);
  const value = read.message;
  const bytes = value.reduce((sum, file) => sum + file.size, 0);
  if (value.length !== inputs.files || bytes !== inputs.bytes)
    throw refuse(
      'input.malformed',
      `the manifest lists ${value.length} files of ${bytes} bytes, the order says ${inputs.files} of ${inputs.bytes}`,
    );
  checkInputPaths(value.map((file) => file.path));
  return value;
}

interface Blob {
  readonly size: number;
  used: number;
  /** What the file looked like when its digest was last compared; undefined: not since this program began. */
  verified: string | undefined;
}

const digestNamed = (name: string): string => `sha256:${name.slice(0, 64)}`;

/** Other bytes have another face; a link more or less, as each run makes, has not. Undefined: no file. */
async function faceOf(path: string): Promise<string | undefined> {
  const found = await lstat(path, { bigint: true }).catch(() => undefined);
  return found?.isFile() ? `${found.ino}.${found.size}.${found.mtimeNs}` : undefined;
}

async function digestOfFile(path: string): Promise<string> {
  const running = startDigest();
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  for await (const chunk of file.createReadStream({ highWaterMark: 1_048_576 }) as AsyncIterable<Buffer>) {
    running.update(chunk);
    freeBuffers(chunk.length);
  }
  return running.digest();
}

/** What is on the shelf; half-written parts of an earlier process are removed, with whatever else it left. */
async function readBlobs(folder: string): Promise<Map<string, Blob>> {
  const blobs = new Map<string, Blob>();
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (!SHELF.test(name)) await rm(path, { recursive: true, force: true });
    else {
      const { size, atimeMs } = await stat(path);
      blobs.set(name, { size, used: atimeMs, verified: undefined });
    }
  }
  return blobs;
}
