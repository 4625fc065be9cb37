import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Manifest {
  readonly version: string;
  readonly description?: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** @param folder of the workspace, or of the whole. */
export const readManifest = (...folder: readonly string[]): Manifest =>
  JSON.parse(readFileSync(join(...folder, 'package.json'), 'utf8')) as Manifest;
