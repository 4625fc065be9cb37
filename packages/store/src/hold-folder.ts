import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from './store-error.ts';

export interface FolderHold {
  release(): void;
}

/**
 * Takes a state folder for this process alone. The hold is a lock of the operating system on an SQLite file, so it
 * ends with the process, however that ends.
 *
 * @throws StoreError `store.in_use` when another process has it.
 */
export function holdFolder(folder: string): FolderHold {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(folder, 'lock.db'));
    database.exec(
      'pragma busy_timeout = 0; pragma locking_mode = exclusive; begin exclusive; pragma user_version = 1; commit',
    );
  } catch (cause) {
    database?.close();
    if (!isBusy(cause))
      throw new StoreError('store.cannot_open', `${folder} cannot be held: ${String(cause)}`, { cause });
    throw new StoreError(
      'store.in_use',
      `Another process of Writ uses ${folder}. Stop it first, or name another folder with --dir.`,
      { cause },
    );
  }
  const held = database;
  return { release: () => held.close() };
}

function isBusy(cause: unknown): boolean {
  const code = cause instanceof Error && 'errcode' in cause ? cause.errcode : undefined;
  return code === 5 || code === 6;
}
