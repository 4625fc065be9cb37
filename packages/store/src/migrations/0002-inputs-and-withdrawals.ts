import { type Kysely, sql } from 'kysely';
import type { SqlWords } from '../sql-words.ts';

/** Files that a job reads apart from those that it wrote; withdrawals; who refused what. */
export const inputsAndWithdrawals = (words: SqlWords) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    // What older versions noted may be either.
    await sql`alter table file_use add column is_input integer not null default 1`.execute(db);
    await db.schema
      .createTable('withdrawal')
      .addColumn('digest', words.text, (column) => column.primaryKey().notNull())
      .addColumn('order_digest', words.text, (column) => column.notNull())
      .addColumn('until', words.wholeNumber, (column) => column.notNull())
      .addColumn('added', words.wholeNumber, (column) => column.notNull())
      .addColumn('envelope', words.text, (column) => column.notNull())
      .execute();
    await sql`create index withdrawal_until on withdrawal (until)`.execute(db);
    await sql`create index receipt_refused on receipt (identity, job) where outcome = 'refused'`.execute(db);
  },
});
