import { type Kysely, sql } from 'kysely';
import type { SqlWords } from '../sql-words.ts';

/** What is kept for how long, and the marks that removed jobs leave. */
export const retention = (words: SqlWords) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`alter table queue add column keep_seconds ${sql.raw(words.wholeNumber)}`.execute(db);
    await db.schema
      .createTable('removed_job')
      .addColumn('id', words.text, (column) => column.primaryKey().notNull())
      .addColumn('digest', words.text, (column) => column.notNull())
      .addColumn('seq', words.wholeNumber)
      .addColumn('until', words.wholeNumber, (column) => column.notNull())
      .addColumn('removed', words.wholeNumber, (column) => column.notNull())
      .execute();
    await sql`create index removed_job_unswept on removed_job (seq) where seq is not null`.execute(db);
    await sql`create index removed_job_until on removed_job (until)`.execute(db);
    await sql`create index job_by_end on job (queue, ended) where ended is not null`.execute(db);
    await sql`create index file_by_use on file (last_used, digest)`.execute(db);
  },
});
