import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** One planted fault: in that file, this text becomes that one. */
export interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  readonly text: string;
  readonly becomes: string;
}

export const ROOT = join(import.meta.dirname, '../../..');
const AGENT = pathToFileURL(join(ROOT, 'apps/agent/src/')).href;
const TRUST = pathToFileURL(join(ROOT, 'packages/trust/src/')).href;
const CRYPTO = pathToFileURL(join(import.meta.dirname, 'remembered-crypto.ts')).href;
const NET = pathToFileURL(join(import.meta.dirname, 'no-sockets.ts')).href;
const STORE = pathToFileURL(join(ROOT, 'packages/store/src/')).href;
const SQLITE = pathToFileURL(join(import.meta.dirname, 'kept-connections.ts')).href;
const DISK = pathToFileURL(join(import.meta.dirname, 'disk-calls.ts')).href;

/** Files of ours that were loaded, from the root of the repository. */
export const loadedFiles = new Set<string>();

/**
 * From here on the agent's modules get the simulated disk for `node:fs`, verifications are remembered, and edits are applied to what is loaded.
 * Nothing else changes: the modules are those that the programs load.
 */
export function hookLoading(edits: readonly Edit[]): void {
  for (const edit of edits) apply(edit.file, readFileSync(join(ROOT, edit.file), 'utf8'), edits);
  registerHooks({
    resolve(specifier, context, next) {
      const isDisk = specifier === 'node:fs' || specifier === 'node:fs/promises';
      if (isDisk && (context.parentURL?.startsWith(AGENT) || context.parentURL?.startsWith(`${TRUST}node/`)))
        return { url: DISK, format: 'module-typescript', shortCircuit: true };
      if (specifier === 'node:net' && context.parentURL?.startsWith(`${AGENT}job-api/`))
        return { url: NET, format: 'module-typescript', shortCircuit: true };
      if (specifier === 'node:crypto' && context.parentURL?.startsWith(TRUST))
        return { url: CRYPTO, format: 'module-typescript', shortCircuit: true };
      if (specifier === 'node:sqlite' && context.parentURL?.startsWith(STORE))
        return { url: SQLITE, format: 'module-typescript', shortCircuit: true };
      return next(specifier, context);
    },
    load(url, context, next) {
      if (!url.startsWith('file:')) return next(url, context);
      const file = relative(ROOT, fileURLToPath(url));
      if (!file.startsWith('..') && !file.startsWith('node_modules')) loadedFiles.add(file);
      const loaded = next(url, context);
      if (!edits.some((edit) => edit.file === file) || loaded.source === undefined) return loaded;
      // The types are stripped from the text as it stands in the file, so the edits come first.
      return { ...loaded, source: apply(file, readFileSync(fileURLToPath(url), 'utf8'), edits) };
    },
  });
}

/** @throws when an edit does not fit exactly once: a planted fault that is not planted proves nothing. */
export function apply(file: string, source: string, edits: readonly Edit[]): string {
  let text = source;
  for (const edit of edits) {
    if (edit.file !== file) continue;
    const found = text.split(edit.text).length - 1;
    if (found !== 1)
      throw new Error(`${file} holds the text of a planted fault ${found} times, not once:\n${edit.text}`);
    text = text.replace(edit.text, () => edit.becomes);
  }
  return text;
}
