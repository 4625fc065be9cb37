import { type Kysely, sql } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import { firstTables } from './migrations/0001-first-tables.ts';
import { inputsAndWithdrawals } from './migrations/0002-inputs-and-withdrawals.ts';
import { queues } from './migrations/0003-queues.ts';
import { retention } from './migrations/0004-retention.ts';
import { branchesOfSets } from './migrations/0005-branches-of-sets.ts';
import type { SqlWords } from './sql-words.ts';
import { StoreError } from './store-error.ts';

export const migrationsOf = (words: SqlWords): Record<string, Migration> => ({
  '0001-first-tables': firstTables(words) as Migration,
  '0002-inputs-and-withdrawals': inputsAndWithdrawals(words) as Migration,
  '0003-queues': queues(words) as Migration,
  '0004-retention': retention(words) as Migration,
  '0005-branches-of-sets': branchesOfSets(words) as Migration,
});

/** Forward only. @throws StoreError `store.newer_than_program` */
export async function migrate(db: Kysely<never>, words: SqlWords): Promise<void> {
  const migrations = migrationsOf(words);
  const done = await listDone(db, words);
  const unknown = done.find((name) => !(name in migrations));
  if (unknown !== undefined) {
    throw new StoreError(
      'store.newer_than_program',
      `This database was made by a newer version of Writ: it has ${unknown}, which this program does not know. Start the newer version, or restore a backup from before it.`,
    );
  }
  // As at almost every start: the migrator would read all tables again to find that nothing is to be done.
  if (done.length === Object.keys(migrations).length) return;
  const result = await new Migrator({
    db,
    provider: { getMigrations: async () => migrations },
    ...(words.schema === null ? {} : { migrationTableSchema: words.schema }),
  }).migrateToLatest();
  if (result.error !== undefined) {
    throw new StoreError(
      'store.cannot_open',
      `The database could not be brought to this version: ${result.error instanceof Error ? result.error.message : 'unknown cause'}`,
      { cause: result.error },
    );
  }
}

async function listDone(db: Kysely<never>, { schema }: SqlWords): Promise<string[]> {
  const isOurs = (table: { readonly name: string; readonly schema?: string }) =>
    table.name === 'kysely_migration' && (schema === null || table.schema === schema);
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(isOurs)) return [];
  const done = await sql<{ name: string }>`select name from kysely_migration`.execute(db);
  return done.rows.map((row) => row.name);
}
