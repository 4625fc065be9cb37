import { constants, open } from 'node:fs/promises';
import { BOUNDS, readOutputPatterns, writePayload } from '@writ/contract';
import { extract } from 'tar-stream';
import type { Extract } from 'tar-stream';
import { asciiText } from '../signable-text.ts';
import { IsolateError } from './isolation.ts';

export interface OutputFile {
  /** Below the job's folder, with `/` between its parts. */
  readonly path: string;
  readonly bytes: number;
  readonly executable: boolean;
  /** Read it to its end before the next file is asked for, or not at all. */
  readonly content: AsyncIterable<Uint8Array>;
}

export interface OutputRules {
  readonly patterns: readonly string[];
  /** Paths of the job's inputs: what lies there is not an output. */
  readonly inputs: ReadonlySet<string>;
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/**
 * Reads the tar of a finished attempt as hostile input. Throws an `IsolateError` with an `outputs.*` code; what it gave
 * out before that must then be thrown away. Nothing is written anywhere.
 */
export async function* readOutputs(
  tarFile: string,
  rules: OutputRules,
): AsyncGenerator<OutputFile, void, void> {
  const file = await open(tarFile, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  const entries = extract();
  const bytes = file.createReadStream({ highWaterMark: 1_048_576, autoClose: false });
  bytes.on('error', (error) => entries.destroy(error));
  bytes.pipe(entries);
  try {
    yield* readEntries(entries, rules);
  } catch (error) {
    throw error instanceof IsolateError ? error : malformed(error);
  } finally {
    entries.destroy();
    bytes.destroy();
    await file.close().catch(() => {});
  }
}

async function* readEntries(entries: Extract, rules: OutputRules): AsyncGenerator<OutputFile, void, void> {
  const patterns = readOutputPatterns(rules.patterns);
  if ('fault' in patterns)
    throw new IsolateError('outputs.pattern', `No output is taken: ${patterns.fault}.`);
  const seen = new Set<string>();
  const folders = new Set<string>();
  let count = 0;
  let total = 0;
  let room = BOUNDS.receiptBytes - 262_144;
  for await (const entry of entries) {
    const { type, size, mode, pax } = entry.header;
    if (++count > rules.maxFiles + mostOthers)
      throw new IsolateError(
        'outputs.too_many',
        `The job left more than ${rules.maxFiles} files where its outputs are looked for.`,
      );
    const path = plainPath(entry.header.name);
    const isWanted = !rules.inputs.has(path) && patterns.matches(path);
    if (isWanted === undefined)
      throw new IsolateError(
        'outputs.too_many',
        'To compare the names of the files with the patterns of the outputs takes too long.',
      );
    if (!isWanted || type === 'directory') {
      entry.resume();
      continue;
    }
    if (
      type !== 'file' ||
      Object.keys((pax as object | null) ?? {}).some((key) => key.startsWith('GNU.sparse'))
    )
      throw new IsolateError(
        'outputs.kind',
        `The output ${quote(path)} is a ${type ?? 'thing of an unknown kind'}; only regular files are taken.`,
      );
    refuseDuplicate(path, seen, folders);
    if (seen.size > rules.maxFiles)
      throw new IsolateError('outputs.too_many', `The job left more than ${rules.maxFiles} outputs.`);
    room -= bytesInReceipt(path);
    if (room < 0)
      throw new IsolateError(
        'outputs.too_many',
        `The names of the outputs are too long together: those of the first ${seen.size - 1} fill the receipt.`,
      );
    total += size ?? 0;
    if (!Number.isSafeInteger(total) || total > rules.maxBytes)
      throw new IsolateError(
        'outputs.too_large',
        `The outputs are larger than ${rules.maxBytes} bytes together.`,
      );
    yield {
      path,
      bytes: size ?? 0,
      executable: ((mode ?? 0) & 0o111) !== 0,
      content: contentOf(entry as unknown as AsyncIterable<Uint8Array>),
    };
    entry.resume();
  }
}

async function* contentOf(entry: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* entry;
  } catch (error) {
    throw malformed(error);
  }
}

/** What is wrong with outputs that cannot be taken: a tar that lies is the job's doing, a full disk or a lost link is not. */
export function faultOfOutputs(error: unknown): 'output_limit' | 'sandbox' | undefined {
  if (!(error instanceof IsolateError)) return undefined;
  return error.code === 'outputs.too_large' || error.code === 'outputs.too_many' ? 'output_limit' : 'sandbox';
}

function malformed(cause: unknown): IsolateError {
  const text = `The outputs of the job are no whole tar archive: ${(cause as Error).message}.`;
  return new IsolateError('outputs.malformed', text, { cause });
}

/** Files beside the wanted ones that are skipped before the archive is called too long. */
const mostOthers = 100_000;

function plainPath(name: string): string {
  const path = name.replace(/^\.\//, '').replace(/\/$/, '');
  const parts = path.split('/');
  const isPlain =
    path.length <= 4096 &&
    !path.includes('\0') &&
    !path.includes('\u{fffd}') &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..');
  if (isPlain || name === './') return path;
  throw new IsolateError(
    'outputs.path',
    `The archive holds the name ${quote(name)}, which is not a plain path below the job's folder.`,
  );
}

/** Output and subject each have the name; a character may take six bytes there. */
function bytesInReceipt(path: string): number {
  try {
    return 2 * writePayload(path).length + 250;
  } catch {
    throw new IsolateError(
      'outputs.path',
      `The output ${quote(path)} cannot stand in a receipt: its name is not in Unicode's NFC form.`,
    );
  }
}

/** A file may neither come twice nor lie below another file. */
function refuseDuplicate(path: string, seen: Set<string>, folders: Set<string>): void {
  const refuse = (): never => {
    throw new IsolateError(
      'outputs.duplicate',
      `The output ${quote(path)} comes twice or lies below another file.`,
    );
  };
  if (seen.has(path) || folders.has(path)) refuse();
  for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1)) {
    if (seen.has(path.slice(0, end))) refuse();
    folders.add(path.slice(0, end));
  }
  seen.add(path);
}

/** In ASCII: what is said of a name stands in a receipt where the name itself could not. */
function quote(path: string): string {
  return asciiText(JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}...` : path));
}
