import type { Kysely } from 'kysely';
import { auditStore } from './audit/audit-store.ts';
import { fileStore } from './files/file-store.ts';
import { jobStore } from './jobs/job-store.ts';
import { leaseStore } from './leases/lease-store.ts';
import { migrate } from './migrate.ts';
import { describeSqlite } from './sqlite/describe-sqlite.ts';
import { openSqlite } from './sqlite/open-sqlite.ts';
import { sqliteWords } from './sqlite/sqlite-words.ts';
import type { SqlWords } from './sql-words.ts';
import type { Store } from './store.ts';
import { StoreError } from './store-error.ts';
import type { Tables } from './tables.ts';
import { queueStore } from './queues/queue-store.ts';
import { retentionStore } from './retention/retention-store.ts';
import { tokenStore } from './tokens/token-store.ts';
import { trustStore } from './trust/trust-store.ts';
import { writeInGroups } from './write-in-groups.ts';

export type OpenStoreAsked = FileAsked | PostgresAsked;
interface FileAsked {
  /** Path of the SQLite file; its folder exists. */
  readonly file: string;
}
interface PostgresAsked {
  /** `postgres://…` */
  readonly url: string;
  wait(milliseconds: number): Promise<void>;
  /** So long a PostgreSQL that is away is waited for, at the start and by each question. */
  readonly patienceMs?: number;
}

/** Long enough for a PostgreSQL that is started anew. */
const PATIENCE_MS = 15_000;

/** @throws StoreError `store.newer_than_program` for a database of a later version of Writ, `store.cannot_open` when it is none. */
export async function openStore(asked: OpenStoreAsked): Promise<Store> {
  const open: Kysely<Tables>[] = [];
  const opened = (connection: Kysely<Tables>): Kysely<Tables> => {
    open.push(connection);
    return connection;
  };
  try {
    return 'file' in asked ? await openFile(asked, opened) : await openServer(asked, opened);
  } catch (cause) {
    for (const connection of open) await connection.destroy();
    if (cause instanceof StoreError) throw cause;
    const what = 'file' in asked ? asked.file : 'This PostgreSQL';
    throw new StoreError(
      'store.cannot_open',
      `${what} cannot be opened as a database of Writ: ${String(cause)}`,
      { cause },
    );
  }
}

type Opened = (connection: Kysely<Tables>) => Kysely<Tables>;

async function openFile({ file }: FileAsked, opened: Opened): Promise<Store> {
  const writer = opened(openSqlite(file, 'write'));
  await migrate(writer as unknown as Kysely<never>, sqliteWords);
  // Reads do not wait for the open transaction: they have their own connection.
  const reader = opened(openSqlite(file, 'read'));
  return compose(writer, reader, sqliteWords, await describeSqlite(writer));
}

async function openServer(
  { url, wait, patienceMs = PATIENCE_MS }: PostgresAsked,
  opened: Opened,
): Promise<Store> {
  // Whoever keeps his records in a file does not read the driver.
  const { connectPostgres } = await import('./postgres/connect-postgres.ts');
  const connected = await connectPostgres(url, { wait, milliseconds: patienceMs }, opened);
  return compose(connected.writer, connected.reader, connected.words, connected.database);
}

function compose(writer: Kysely<Tables>, reader: Kysely<Tables>, words: SqlWords, database: string): Store {
  const listeners = new Set<(jobIds: readonly string[]) => void>();
  const group = writeInGroups(writer, words, (jobIds) => {
    for (const listener of listeners) listener(jobIds);
  });
  return {
    trust: trustStore(reader, group),
    jobs: jobStore(reader, group, words),
    leases: leaseStore(reader, group),
    files: fileStore(reader, group, words),
    tokens: tokenStore(reader, group),
    queues: queueStore(reader, group, words),
    retention: retentionStore(reader, group, words),
    audit: auditStore(reader, group),
    database,
    reusableBytes: () => words.reusableBytes(reader),
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
