import { Readable } from 'node:stream';
import type { Timeline } from './virtual-time.ts';
import { ProgramOver, runningProgram, type Program } from './virtual-time.ts';
import { DiskFault, type VirtualDisk, type VirtualFile } from './virtual-disk.ts';

/** What `node:fs` and `node:fs/promises` are to an agent in the simulator. The names are theirs. */
interface Machinery {
  readonly timeline: Timeline;
  /** May end the program at this point. @throws ProgramOver when it does. */
  readonly maybeEnd: (program: Program, where: string) => void;
}

let machinery: Machinery | undefined;
export const useDisks = (used: Machinery | undefined): void => {
  machinery = used;
};

const descriptors = new Map<number, VirtualFile>();
let nextDescriptor = 100;

function here(where: string | null = null): { program: Program; disk: VirtualDisk; used: Machinery } {
  if (!machinery) throw new TypeError('no simulation is running');
  const program = runningProgram();
  if (where) machinery.maybeEnd(program, where);
  return { program, disk: byPlainNames(program.host.disk), used: machinery };
}

let newNames = 0;
/**
 * Another name of the same folder, for each start of a program: what a module remembers by path belongs to one process,
 * and all programs of the simulator share their modules.
 */
export const newNameOf = (folder: string): string => `/~${(newNames += 1)}${folder}`;
const plain = (path: string): string => path.replace(/^\/~\d+/, '');

const plainly = new WeakMap<VirtualDisk, VirtualDisk>();
function byPlainNames(disk: VirtualDisk): VirtualDisk {
  const known = plainly.get(disk);
  if (known) return known;
  const made: VirtualDisk = {
    read: (path) => disk.read(plain(path)),
    readDurable: (path) => disk.readDurable(plain(path)),
    open: (path, how) => disk.open(plain(path), how),
    rename: (from, to) => disk.rename(plain(from), plain(to)),
    remove: (path) => disk.remove(plain(path)),
    list: (folder) => disk.list(plain(folder)),
    syncFolder: (folder) => disk.syncFolder(plain(folder)),
    losePower: (dice) => disk.losePower(dice),
  };
  plainly.set(disk, made);
  return made;
}
function fileAt(descriptor: number): VirtualFile {
  const file = descriptors.get(descriptor);
  if (!file) throw new TypeError(`descriptor ${descriptor} is not open`);
  return file;
}
/** Takes a moment, in which the program may be killed; then it is on the disk. */
const later = (what: () => void): Promise<void> =>
  unlessOver(async () => {
    const { program, used } = here('before a sync');
    await used.timeline.wait(used.timeline.dice.between(0.2, 6), program);
    what();
    used.maybeEnd(program, 'after a sync');
  });
/** Nobody hears of what a dead program waited for. */
async function unlessOver<T>(act: () => T | Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof ProgramOver) return await new Promise<never>(() => undefined);
    throw error;
  }
}

const readOf = (path: string): Buffer => {
  const bytes = here().disk.read(path);
  if (!bytes) throw new DiskFault('ENOENT', path);
  return bytes;
};
const HOWS = { a: 'append', w: 'write', r: 'read', wx: 'create' } as const;
type Flag = keyof typeof HOWS;

export const constants = { O_RDONLY: 0, O_NOFOLLOW: 0, O_DIRECTORY: 0, COPYFILE_EXCL: 1, F_OK: 0 };

export function openSync(path: string, flag: Flag): number {
  const descriptor = (nextDescriptor += 1);
  descriptors.set(descriptor, here().disk.open(path, HOWS[flag]));
  return descriptor;
}
export const closeSync = (descriptor: number): void => void descriptors.delete(descriptor);
export const fstatSync = (descriptor: number): { size: number } => ({ size: fileAt(descriptor).size });
export const statSync = (path: string): { size: number } => ({ size: readOf(path).length });
export function writeSync(descriptor: number, bytes: Buffer, from: number): number {
  here('before an append');
  fileAt(descriptor).append(bytes.subarray(from));
  here('after an append');
  return bytes.length - from;
}
export const ftruncateSync = (descriptor: number, size: number): void => fileAt(descriptor).truncate(size);
export const truncateSync = (path: string, size: number): void =>
  here().disk.open(path, 'append').truncate(size);
export function fdatasync(descriptor: number, done: (error: Error | null) => void): void {
  const file = fileAt(descriptor);
  void (async () => {
    await later(() => file.sync());
    done(null);
  })();
}
export const readFileSync = (path: string, encoding: BufferEncoding): string =>
  readOf(path).toString(encoding);
export const readdirSync = (folder: string): string[] => here().disk.list(folder);
export const rmSync = (path: string): void => here().disk.remove(path);
export const unlinkSync = (path: string): void => {
  readOf(path);
  here().disk.remove(path);
};
export const writeFileSync = (path: string, bytes: Buffer): void =>
  here().disk.open(path, 'create').become(bytes);
export function readSync(descriptor: number, into: Buffer, at: number, length: number, from: number): number {
  return fileAt(descriptor).bytes.copy(into, at, from, from + length);
}

export function createReadStream(
  path: string,
  how?: BufferEncoding | { readonly start?: number; readonly end?: number },
): Readable {
  const range = typeof how === 'object' ? how : {};
  return Readable.from(
    (function* () {
      const bytes = readOf(path).subarray(range.start ?? 0, (range.end ?? Number.MAX_SAFE_INTEGER - 1) + 1);
      yield typeof how === 'string' ? bytes.toString(how) : bytes;
    })(),
  );
}

// node:fs/promises
export const mkdir = (): Promise<void> => unlessOver(() => void here());
export const readFile = (path: string, encoding?: BufferEncoding): Promise<string | Buffer> =>
  unlessOver(() => (encoding ? readOf(path).toString(encoding) : readOf(path)));
export const readdir = async (folder: string): Promise<string[]> => here().disk.list(folder);
export const rename = (from: string, to: string): Promise<void> =>
  unlessOver(() => {
    here('before a rename').disk.rename(from, to);
    here('after a rename');
  });
export const rm = (path: string): Promise<void> => unlessOver(() => here().disk.remove(path));
export const stat = async (path: string): Promise<{ size: number }> => statSync(path);
export const lstat = async (path: string): Promise<{ size: number }> => statSync(path);
export const chmod = async (): Promise<void> => void here();
export async function copyFile(from: string, to: string): Promise<void> {
  here().disk.open(to, 'write').append(readOf(from));
}
export const open = (path: string, flag: Flag) => unlessOver(() => openNow(path, flag));
function openNow(path: string, flag: Flag) {
  const { disk } = here();
  const isFolder = flag === 'r' && disk.read(path) === undefined;
  const file = isFolder ? undefined : disk.open(path, HOWS[flag]);
  const write = (bytes: string | Uint8Array): Promise<void> =>
    unlessOver(() => {
      here('before a write');
      file?.append(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
    });
  return {
    writeFile: write,
    appendFile: write,
    sync: () => later(() => (file ? file.sync() : disk.syncFolder(path))),
    stat: async () => ({ size: file?.size ?? 0 }),
    read: async (into: Buffer, at: number, length: number, from: number) => ({
      bytesRead: file?.bytes.copy(into, at, from, from + length) ?? 0,
    }),
    close: async () => undefined,
  };
}
