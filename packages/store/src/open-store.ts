import type { Kysely } from 'kysely';
import { auditStore } from './audit/audit-store.ts';
import { fileStore } from './files/file-store.ts';
import { jobStore } from './jobs/job-store.ts';
import { leaseStore } from './leases/lease-store.ts';
import { migrate, migrationsOf } from './migrate.ts';
import { describeSqlite } from './sqlite/describe-sqlite.ts';
import { openSqlite } from './sqlite/open-sqlite.ts';
import { sqliteWords } from './sqlite/sqlite-words.ts';
import type { SqlWords } from './sql-words.ts';
import type { Store } from './store.ts';
import { StoreError } from './store-error.ts';
import type { Tables } from './tables.ts';
import { tokenStore } from './tokens/token-store.ts';
import { trustStore } from './trust/trust-store.ts';
import { writeInGroups } from './write-in-groups.ts';

export interface OpenStoreAsked {
  /** Path of the database file; its folder exists. */
  readonly file: string;
}

/** @throws StoreError `store.newer_than_program` for a database of a later version of Writ, `store.cannot_open` when it is none. */
export async function openStore({ file }: OpenStoreAsked): Promise<Store> {
  const open: Kysely<Tables>[] = [];
  try {
    const writer = openSqlite(file, 'write');
    open.push(writer);
    await migrate(writer as unknown as Kysely<never>, migrationsOf(sqliteWords));
    // Reads do not wait for the open transaction: they have their own connection.
    const reader = openSqlite(file, 'read');
    open.push(reader);
    return compose(writer, reader, sqliteWords, await describeSqlite(writer));
  } catch (cause) {
    for (const connection of open) await connection.destroy();
    if (cause instanceof StoreError) throw cause;
    throw new StoreError(
      'store.cannot_open',
      `${file} cannot be opened as a database of Writ: ${String(cause)}`,
      { cause },
    );
  }
}

function compose(writer: Kysely<Tables>, reader: Kysely<Tables>, words: SqlWords, database: string): Store {
  const listeners = new Set<(jobIds: readonly string[]) => void>();
  const group = writeInGroups(writer, words, (jobIds) => {
    for (const listener of listeners) listener(jobIds);
  });
  return {
    trust: trustStore(reader, group),
    jobs: jobStore(reader, group),
    leases: leaseStore(reader, group),
    files: fileStore(reader, group, words),
    tokens: tokenStore(reader, group),
    audit: auditStore(reader, group),
    database,
    onJobsChanged(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      await group.finish();
      await writer.destroy();
      await reader.destroy();
    },
  };
}
