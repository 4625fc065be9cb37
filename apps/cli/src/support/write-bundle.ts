import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';

/** One archive that everybody can look into: `tar tzf`. Never over a file that is there. */
export async function writeBundle(
  file: string,
  folder: string,
  texts: ReadonlyMap<string, string>,
  now: number,
): Promise<void> {
  const archive = pack();
  const written = pipeline(archive, createGzip(), createWriteStream(file, { flags: 'wx', mode: 0o600 }));
  for (const [name, text] of texts)
    archive.entry({ name: `${folder}/${name}`, mode: 0o600, mtime: new Date(now) }, text);
  archive.finalize();
  await written;
}
