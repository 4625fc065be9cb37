import { constants } from 'node:fs';
import { chmod, lstat, mkdir, open, realpath, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { check, JobPath, type OutputFile } from '@writ/contract';
import { startDigest } from '@writ/trust/digest';
import { freeBuffers } from '@writ/trust/node';
import { makeFolder } from '@writ/trust/node';
import { ClientError } from '../client-error.ts';
import type { Client } from '../connect.ts';
import { isPassing } from '../follow-job.ts';

/** How outputs are fetched and written. */
export interface Writing {
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Waits that many milliseconds, or until the signal. */
  readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** What the person's own umask takes away from the modes of files and folders (022). */
  readonly umask?: number | undefined;
  /** Tells apart several programs that write into one folder. */
  readonly tag: string;
  /** Told of bytes as they come. */
  readonly onBytes?: ((received: number) => void) | undefined;
}

const jobPathCheck = check(JobPath);
const mostFailures = 8;

/**
 * Fetches the outputs that a verified receipt names, in constant memory. Each is written under a temporary name, and all
 * get their names only when every digest matches: what has its name is what the agent signed.
 */
export async function writeOutputs(
  client: Client,
  outputs: readonly OutputFile[],
  folder: string,
  writing: Writing,
): Promise<string[]> {
  for (const { path: name } of outputs) refuseStrangePath(name);
  const umask = writing.umask ?? 0o022;
  if (await makeFolder(folder)) await chmod(folder, 0o777 & ~umask);
  const root = await realpath(folder);
  const staging = path.join(root, `.writ-${writing.tag}`);
  await mkdir(staging, { mode: 0o700 });
  try {
    for (const [at, output] of outputs.entries())
      await fetchOne(client, output, path.join(staging, String(at)), writing);
    const written: string[] = [];
    for (const [at, output] of outputs.entries()) {
      const target = await makeWay(root, output.path, umask);
      await rename(path.join(staging, String(at)), target);
      written.push(target);
    }
    return written;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

function refuseStrangePath(name: string): void {
  const isStrange =
    !jobPathCheck.is(name) || path.isAbsolute(name) || (path.sep === '\\' && /[\\:]/.test(name));
  if (isStrange)
    throw new ClientError(
      'output.outside',
      `The output ${JSON.stringify(name)} would not lie below the folder asked for. Nothing was written.`,
    );
}

async function fetchOne(
  client: Client,
  output: OutputFile,
  file: string,
  { signal, wait, onBytes, umask = 0o022 }: Writing,
): Promise<void> {
  const mode = output.mode === 'executable' ? 0o777 : 0o666;
  await using handle = await open(
    file,
    constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW,
    mode,
  );
  await handle.chmod(mode & ~umask);
  const digest = startDigest();
  let size = 0;
  for (let failures = 0; ;) {
    try {
      for await (const chunk of await client.readFile(output.digest, { from: size, signal })) {
        if (size + chunk.length > output.size) throw wrong(output, 'more bytes came than were signed');
        digest.update(chunk);
        await handle.writeFile(chunk);
        size += chunk.length;
        freeBuffers(chunk.length);
        onBytes?.(chunk.length);
      }
      break;
    } catch (error) {
      failures += 1;
      if (signal.aborted || !isPassing(error) || failures > mostFailures) throw error;
      await wait(100 * 2 ** failures, signal);
    }
  }
  if (size !== output.size) throw wrong(output, `${size} bytes came, ${output.size} were signed`);
  if (digest.digest() !== output.digest) throw wrong(output, 'its digest is another');
}

const wrong = (output: OutputFile, why: string): ClientError =>
  new ClientError(
    'output.digest_wrong',
    `The server's copy of ${output.path} is not what the agent signed: ${why}. Nothing was written.`,
  );

/** Makes the folders above a target, and goes through no link: a link in the folder could lead anywhere. */
async function makeWay(root: string, name: string, umask: number): Promise<string> {
  const parts = name.split('/');
  let at = root;
  for (const part of parts.slice(0, -1)) {
    at = path.join(at, part);
    const isMade = await mkdir(at).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
        return false;
      },
    );
    if (isMade) await chmod(at, 0o777 & ~umask);
    if (!(await lstat(at)).isDirectory()) {
      throw new ClientError(
        'output.outside',
        `${at} is not a folder (perhaps a link): the output ${name} is not written through it.`,
      );
    }
  }
  return path.join(at, parts.at(-1) ?? name);
}
