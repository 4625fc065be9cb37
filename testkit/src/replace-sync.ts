import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { TestContext } from 'node:test';

/** In place of `fdatasync`, for whatever imports it, until the test ends. @returns what puts it back before that. */
export function replaceSync(
  t: TestContext,
  sync: (descriptor: number, done: fs.NoParamCallback) => void,
): () => void {
  const { mock } = t.mock.method(fs, 'fdatasync', sync);
  const restore = (): void => {
    mock.restore();
    syncBuiltinESMExports();
  };
  syncBuiltinESMExports();
  t.after(restore);
  return restore;
}

/** A disk that did not take what it was given. */
export const failSyncs = (t: TestContext): (() => void) =>
  replaceSync(t, (_descriptor, done) => setImmediate(done, new Error('EIO: i/o error, fdatasync')));
