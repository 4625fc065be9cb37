import type { Dice } from './seeded-random.ts';

interface Content {
  bytes: Buffer;
  durable: Buffer;
}

/**
 * A disk with a page cache. What a program wrote survives the program; what was synchronised survives the machine: bytes
 * by the file's own sync, names by that of their folder.
 */
export interface VirtualDisk {
  read(path: string): Buffer | undefined;
  /** What a machine that lost its power now would find. */
  readDurable(path: string): Buffer | undefined;
  /** The file as it is now, whatever name it gets later. */
  open(path: string, how: 'read' | 'append' | 'write' | 'create'): VirtualFile;
  rename(from: string, to: string): void;
  remove(path: string): void;
  list(folder: string): string[];
  syncFolder(folder: string): void;
  /** The machine loses its power. Of what was not synchronised some of the end may be there all the same. */
  losePower(dice: Dice): void;
}

export interface VirtualFile {
  readonly size: number;
  readonly bytes: Buffer;
  append(bytes: Uint8Array): void;
  /** Holds these from now on, not a copy. */
  become(bytes: Buffer): void;
  truncate(size: number): void;
  /** Makes durable what is in it now. */
  sync(): void;
}

export class DiskFault extends Error {
  override readonly name = 'DiskFault';
  readonly code: string;
  constructor(code: 'ENOENT' | 'EEXIST', path: string) {
    super(`${code}: ${path}`);
    this.code = code;
  }
}

const NOTHING = Buffer.alloc(0);

export function makeDisk(): VirtualDisk {
  let names = new Map<string, Content>();
  const durableNames = new Map<string, Content>();
  const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));

  const fileOf = (content: Content): VirtualFile => ({
    get size() {
      return content.bytes.length;
    },
    get bytes() {
      return content.bytes;
    },
    append(bytes) {
      content.bytes = Buffer.concat([content.bytes, bytes]);
    },
    become(bytes) {
      content.bytes = bytes;
    },
    truncate(size) {
      content.bytes = content.bytes.subarray(0, size);
    },
    sync() {
      content.durable = content.bytes;
    },
  });

  return {
    read: (path) => names.get(path)?.bytes,
    readDurable: (path) => durableNames.get(path)?.durable,
    open(path, how) {
      const known = names.get(path);
      if (how === 'create' && known) throw new DiskFault('EEXIST', path);
      if (how === 'read' && !known) throw new DiskFault('ENOENT', path);
      if (known) {
        if (how === 'write') known.bytes = NOTHING;
        return fileOf(known);
      }
      const fresh: Content = { bytes: NOTHING, durable: NOTHING };
      names.set(path, fresh);
      return fileOf(fresh);
    },
    rename(from, to) {
      const content = names.get(from);
      if (!content) throw new DiskFault('ENOENT', from);
      names.delete(from);
      names.set(to, content);
    },
    remove: (path) => void names.delete(path),
    list: (folder) =>
      [...names.keys()]
        .filter((path) => folderOf(path) === folder)
        .map((path) => path.slice(folder.length + 1)),
    syncFolder(folder) {
      for (const path of durableNames.keys())
        if (folderOf(path) === folder && !names.has(path)) durableNames.delete(path);
      for (const [path, content] of names) if (folderOf(path) === folder) durableNames.set(path, content);
    },
    losePower(dice) {
      names = new Map(durableNames);
      for (const content of names.values()) {
        const { bytes, durable } = content;
        const isLonger = bytes.length > durable.length && bytes.subarray(0, durable.length).equals(durable);
        const kept = isLonger ? dice.whole(durable.length, bytes.length) : durable.length;
        content.bytes = isLonger ? bytes.subarray(0, kept) : durable;
        content.durable = content.bytes;
      }
    },
  };
}
