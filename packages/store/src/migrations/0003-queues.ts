import { type Kysely, sql } from 'kysely';
import type { SqlWords } from '../sql-words.ts';

/** Queues that somebody has set, jobs that are held, agents that are drained. */
export const queues = (words: SqlWords) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`alter table job add column is_held integer not null default 0`.execute(db);
    await sql`alter table agent add column is_drained integer not null default 0`.execute(db);
    await db.schema
      .createTable('queue')
      .addColumn('name', words.text, (column) => column.primaryKey().notNull())
      .addColumn('is_paused', words.wholeNumber, (column) => column.notNull())
      .addColumn('max_running', words.wholeNumber)
      .addColumn('priority', words.wholeNumber, (column) => column.notNull())
      .addColumn('people', words.text)
      .execute();
  },
});
