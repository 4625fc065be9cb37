import { type Kysely, sql } from 'kysely';
import type { SqlWords } from '../sql-words.ts';

/** Two signer sets may call themselves one version: each is kept, in the order in which this server took them. */
export const branchesOfSets = (words: SqlWords) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('signer_set_taken')
      .addColumn('place', words.wholeNumber, (column) => column.primaryKey().notNull())
      .addColumn('version', words.wholeNumber, (column) => column.notNull())
      .addColumn('digest', words.text, (column) => column.notNull().unique())
      .addColumn('envelope', words.text, (column) => column.notNull())
      .addColumn('added', words.wholeNumber, (column) => column.notNull())
      .execute();
    await sql`insert into signer_set_taken (place, version, digest, envelope, added)
      select version, version, digest, envelope, added from signer_set`.execute(db);
    await db.schema.dropTable('signer_set').execute();
    await sql`alter table signer_set_taken rename to signer_set`.execute(db);
  },
});
