import { link, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf, startDigest } from '@writ/trust/digest';
import { ifThere } from '../if-there.ts';
import { openTurns } from '../in-turn.ts';
import type { KeptLogs, LogName } from '../kept-logs.ts';
import { ServerError } from '../server-error.ts';

const READ_BYTES = 256 * 1024;
/** Digests of the logs that are being written, so that a receipt does not read them again. */
const MOST_OPEN = 4096;
const MOST_INDEXED_JOBS = 64;

interface ShortIndex {
  scanned: number;
  readonly places: Map<string, { readonly at: number; readonly size: number }>;
}

export function keepLogs(folder: string): KeptLogs {
  const writing = new Map<string, { hash: ReturnType<typeof startDigest>; size: number }>();
  const shorts = new Map<string, ShortIndex>();

  const jobFolder = (job: string): string => join(folder, job.slice(0, 2), job);
  const keyOf = (name: LogName): string => `${name.index}.${name.attempt}.${name.stream}`;
  const pathOf = (name: LogName): string => join(jobFolder(name.job), keyOf(name));
  const fileSize = async (path: string): Promise<number | null> => (await ifThere(stat(path)))?.size ?? null;

  const inTurn = openTurns();

  const listening = new Map<string, Set<() => void>>();
  const tellGrown = (name: LogName): void => {
    for (const listener of listening.get(pathOf(name)) ?? []) listener();
  };

  const stateOf = async (path: string): Promise<{ hash: ReturnType<typeof startDigest>; size: number }> => {
    const known = writing.get(path);
    if (known) return known;
    const state = { hash: startDigest(), size: 0 };
    if ((await fileSize(path)) !== null) {
      const handle = await open(path, 'r');
      for await (const chunk of handle.createReadStream({ highWaterMark: READ_BYTES })) {
        const bytes: Uint8Array = chunk;
        state.hash.update(bytes);
        state.size += bytes.length;
      }
    }
    if (writing.size >= MOST_OPEN)
      for (const oldest of writing.keys()) {
        writing.delete(oldest);
        break;
      }
    writing.set(path, state);
    return state;
  };

  /** Two at once would both move on what is scanned, and then stand in the middle of a record. */
  const indexShorts = async (job: string): Promise<ShortIndex> =>
    await inTurn(join(jobFolder(job), 'index'), async () => await scanShorts(job));

  /** Reads the heads of the records that were not read yet; a torn last record (a crash) is no record. */
  const scanShorts = async (job: string): Promise<ShortIndex> => {
    let index = shorts.get(job);
    if (!index) {
      index = { scanned: 0, places: new Map() };
      if (shorts.size >= MOST_INDEXED_JOBS)
        for (const oldest of shorts.keys()) {
          shorts.delete(oldest);
          break;
        }
      shorts.set(job, index);
    }
    const path = join(jobFolder(job), 'short');
    const size = await fileSize(path);
    if (size === null || size <= index.scanned) return index;
    const handle = await open(path, 'r');
    try {
      const head = Buffer.allocUnsafe(128);
      while (index.scanned < size) {
        const { bytesRead } = await handle.read(head, 0, head.length, index.scanned);
        const end = head.subarray(0, bytesRead).indexOf(10);
        const [key, length] = head.toString('latin1', 0, Math.max(0, end)).split(' ');
        const bytes = Number(length);
        const at = index.scanned + end + 1;
        if (end < 0 || key === undefined || !Number.isSafeInteger(bytes) || at + bytes > size) break;
        index.places.set(key, { at, size: bytes });
        index.scanned = at + bytes;
      }
    } finally {
      await handle.close();
    }
    return index;
  };

  /** A short log is whole: what had come of it while it was written may be less. */
  const placeOf = async (name: LogName): Promise<{ path: string; at: number; size: number } | null> => {
    const short = (await indexShorts(name.job)).places.get(keyOf(name));
    if (short) return { path: join(jobFolder(name.job), 'short'), ...short };
    const own = await fileSize(pathOf(name));
    return own === null ? null : { path: pathOf(name), at: 0, size: own };
  };

  const sealShort = async (name: LogName): Promise<{ size: number; digest: string } | null> => {
    if (!(await placeOf(name))) return null;
    const bytes = await readWhole(kept.read(name, 0));
    return { size: bytes.length, digest: digestOf(bytes) };
  };

  const kept: KeptLogs = {
    append: async (name, offset, bytes, most) =>
      await inTurn(pathOf(name), async () => {
        const path = pathOf(name);
        await mkdir(jobFolder(name.job), { recursive: true, mode: 0o700 });
        const state = await stateOf(path);
        if (offset > state.size)
          throw new ServerError(
            'conflict.state',
            `${state.size} bytes of this log are here; go on from there.`,
          );
        const fresh = bytes.subarray(state.size - offset);
        if (state.size + fresh.length > most)
          throw new ServerError('request.too_large', `This log may have ${most} bytes.`);
        if (fresh.length > 0) {
          const handle = await open(path, 'a', 0o600);
          try {
            await handle.appendFile(fresh);
          } catch (error) {
            // A part of it may be there: what is on the disk counts.
            writing.delete(path);
            throw error;
          } finally {
            await handle.close();
          }
          state.hash.update(fresh);
          state.size += fresh.length;
          tellGrown(name);
        }
        return state.size;
      }),

    keepShort: async (job, logs) =>
      await inTurn(join(jobFolder(job), 'short'), async () => {
        await mkdir(jobFolder(job), { recursive: true, mode: 0o700 });
        const whole = (await indexShorts(job)).scanned;
        const handle = await open(join(jobFolder(job), 'short'), 'a', 0o600);
        try {
          // A crash may have torn the last record; what follows it would never be found.
          if ((await handle.stat()).size > whole) await handle.truncate(whole);
          const records = logs.flatMap(({ name, bytes }) => [
            Buffer.from(`${keyOf(name)} ${bytes.length}\n`, 'latin1'),
            bytes,
          ]);
          await handle.appendFile(Buffer.concat(records));
          await handle.datasync();
        } finally {
          await handle.close();
        }
        for (const { name } of logs) tellGrown(name);
      }),

    seal: async (name) =>
      await inTurn(pathOf(name), async () => {
        const path = pathOf(name);
        if ((await placeOf(name))?.path !== path) return await sealShort(name);
        const { hash, size } = await stateOf(path);
        const handle = await open(path, 'r');
        try {
          await handle.datasync();
        } finally {
          await handle.close();
        }
        writing.delete(path);
        return { size, digest: hash.digest() };
      }),

    adopt: async (from, to) => {
      const place = await placeOf(from);
      if (!place || (await placeOf(to)) !== null) return;
      if (place.path === pathOf(from)) {
        await link(place.path, pathOf(to));
        tellGrown(to);
      } else await kept.keepShort(to.job, [{ name: to, bytes: await readWhole(kept.read(from, 0)) }]);
    },

    sizeOfJob: async (job) => {
      const folderOf = jobFolder(job);
      const names = (await ifThere(readdir(folderOf))) ?? [];
      let bytes = 0;
      for (const name of names) bytes += (await fileSize(join(folderOf, name))) ?? 0;
      return bytes;
    },

    removeJob: async (job) =>
      await inTurn(join(jobFolder(job), 'short'), async () => {
        const bytes = await kept.sizeOfJob(job);
        await rm(jobFolder(job), { recursive: true, force: true });
        shorts.delete(job);
        for (const path of writing.keys()) if (path.startsWith(`${jobFolder(job)}/`)) writing.delete(path);
        return bytes;
      }),

    onGrown(name, listener) {
      const path = pathOf(name);
      const all = listening.get(path) ?? new Set();
      listening.set(path, all.add(listener));
      return () => {
        all.delete(listener);
        if (all.size === 0 && listening.get(path) === all) listening.delete(path);
      };
    },

    sizeOf: async (name) => (await placeOf(name))?.size ?? 0,

    async *read(name, offset) {
      const place = await placeOf(name);
      if (!place || offset >= place.size) return;
      const handle = await open(place.path, 'r');
      try {
        for (let at = offset; at < place.size;) {
          const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, place.size - at));
          const { bytesRead } = await handle.read(buffer, 0, buffer.length, place.at + at);
          if (bytesRead === 0) return;
          at += bytesRead;
          yield buffer.subarray(0, bytesRead);
        }
      } finally {
        await handle.close();
      }
    },
  };
  return kept;
}

async function readWhole(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}
