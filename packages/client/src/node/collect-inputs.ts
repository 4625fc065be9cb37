import { glob, lstat, open, readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { BOUNDS, type InputFile, type Inputs, JobPath, check } from '@writ/contract';
import { digestOf, startDigest } from '@writ/trust/digest';
import { ClientError } from '../client-error.ts';

/** Where the bytes of a digest are to be had on this machine. */
export interface InputSource {
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  /** A file of this machine, or bytes that were made here. */
  readonly from: { readonly file: string } | { readonly bytes: Uint8Array<ArrayBuffer> };
}

/** Inputs as an order names them, and their bytes. */
export interface CollectedInputs {
  /** For the order. */
  readonly inputs: Inputs;
  /** What has to be sent, one entry per digest. */
  readonly sources: InputSource[];
}

const jobPathCheck = check(JobPath);
const readBytes = 1024 * 1024;

/**
 * Reads what `--in` names, below `folder`: files, folders, and patterns. Everything that could go wrong is refused here,
 * before anything is sent. A file that is reached through a link counts when its end lies inside the folder.
 */
export async function collectInputs(folder: string, asked: readonly string[]): Promise<CollectedInputs> {
  const root = await realpath(folder);
  const found = new Map<string, string>();
  for (const name of asked) {
    const before = found.size;
    for (const start of await startsOf(root, name)) await walk(root, start, found, new Set());
    if (found.size === before && !(await isAmong(root, name, found))) {
      throw new ClientError('input.missing', `--in ${name} matches no file below ${root}.`);
    }
  }
  const files: InputFile[] = [];
  const sources = new Map<string, InputSource>();
  for (const [jobPath, file] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { digest, size, mode } = await readFileFacts(jobPath, file);
    files.push({ path: jobPath, mode, digest, size });
    sources.set(digest, { digest, size, from: { file } });
  }
  return listOrManifest(files, sources);
}

/** What `name` stands for: itself when it is there, else what it matches as a pattern. Paths are relative to the root. */
async function startsOf(root: string, name: string): Promise<string[]> {
  if (name.includes('\0')) throw new ClientError('input.name', 'The name of an input cannot hold a NUL.');
  if (name.split(/[/\\]/).includes('..')) {
    throw new ClientError(
      'input.outside',
      `--in ${name}: names with “..” are refused. Go to the folder above and name it from there.`,
    );
  }
  const relative = path.relative(root, path.resolve(root, name));
  if (relative.startsWith('..') || path.isAbsolute(relative)) {
    throw new ClientError(
      'input.outside',
      `--in ${name} lies outside ${root}. A job's inputs lie below the current folder.`,
    );
  }
  if (await isThere(path.join(root, relative))) return [relative];
  if (!/[*?[\]{}]/.test(name))
    throw new ClientError('input.missing', `--in ${name}: there is no such file below ${root}.`);
  const matched: string[] = [];
  for await (const match of glob(relative, { cwd: root })) matched.push(match);
  return matched;
}

async function walk(
  root: string,
  relative: string,
  found: Map<string, string>,
  above: ReadonlySet<string>,
): Promise<void> {
  const file = path.join(root, relative);
  const end = await endOf(root, relative, file);
  const facts = await attempt(relative, () => stat(end));
  if (facts.isFile()) {
    addFile(relative, end, found);
  } else if (facts.isDirectory()) {
    if (above.has(end))
      throw new ClientError(
        'input.kind',
        `${relative} is a link to a folder that holds it: that has no end.`,
      );
    const names = await attempt(relative, () => readdir(end));
    for (const name of names.sort())
      await walk(root, path.join(relative, name), found, new Set([...above, end]));
  } else {
    throw new ClientError('input.kind', `${relative} is neither a file nor a folder. Leave it out.`);
  }
}

/** Where links lead to, when that lies inside. */
async function endOf(root: string, relative: string, file: string): Promise<string> {
  const end = await attempt(relative, () => realpath(file));
  if (end === root || end.startsWith(root + path.sep)) return end;
  throw new ClientError(
    'input.outside',
    `${relative} is a link that leads out of ${root}, to ${end}. Copy the file, or leave it out.`,
  );
}

function addFile(relative: string, end: string, found: Map<string, string>): void {
  const jobPath = relative.split(path.sep).join('/');
  if (!jobPathCheck.is(jobPath) || jobPath.normalize('NFC') !== jobPath || !jobPath.isWellFormed()) {
    throw new ClientError(
      'input.name',
      `The name ${JSON.stringify(relative)} cannot stand in an order: it is not in Unicode's NFC form. Rename the file.`,
    );
  }
  found.set(jobPath, end);
}

async function readFileFacts(
  jobPath: string,
  file: string,
): Promise<{ digest: string; size: number; mode: InputFile['mode'] }> {
  return await attempt(jobPath, async () => {
    await using handle = await open(file, 'r');
    const { mode } = await handle.stat();
    const digest = startDigest();
    const buffer = Buffer.allocUnsafe(readBytes);
    let size = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, readBytes, size);
      if (bytesRead === 0) break;
      digest.update(buffer.subarray(0, bytesRead));
      size += bytesRead;
    }
    return { digest: digest.digest(), size, mode: (mode & 0o100) === 0 ? 'file' : 'executable' };
  });
}

function listOrManifest(files: InputFile[], sources: Map<string, InputSource>): CollectedInputs {
  if (files.length <= BOUNDS.inlineInputs)
    return { inputs: { is: 'list', files }, sources: [...sources.values()] };
  const bytes = new TextEncoder().encode(JSON.stringify(files));
  const digest = digestOf(bytes);
  const total = files.reduce((sum, { size }) => sum + size, 0);
  return {
    inputs: { is: 'manifest', digest, size: bytes.length, files: files.length, bytes: total },
    sources: [...sources.values(), { digest, size: bytes.length, from: { bytes } }],
  };
}

async function attempt<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ClientError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new ClientError('input.missing', `${name} is a link to nothing, or went away meanwhile.`, {
        cause: error,
      });
    throw new ClientError('input.unreadable', `${name} cannot be read (${code ?? String(error)}).`, {
      cause: error,
    });
  }
}

const isThere = (file: string): Promise<boolean> =>
  lstat(file).then(
    () => true,
    () => false,
  );

/** A second `--in` may name only what a first one named already. */
async function isAmong(root: string, name: string, found: ReadonlyMap<string, string>): Promise<boolean> {
  const starts = await startsOf(root, name);
  return starts.some((start) =>
    [...found.keys()].some((key) => start === '' || key === start || key.startsWith(`${start}/`)),
  );
}
