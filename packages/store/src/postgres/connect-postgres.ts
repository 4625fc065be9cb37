import type { Kysely } from 'kysely';
import { migrate } from '../migrate.ts';
import type { SqlWords } from '../sql-words.ts';
import type { Tables } from '../tables.ts';
import { describePostgres } from './describe-postgres.ts';
import { makeSchema } from './make-schema.ts';
import { openPostgres, type Patience } from './open-postgres.ts';
import { postgresWords } from './postgres-words.ts';
import { readDatabaseUrl } from './read-database-url.ts';

export interface Connected {
  readonly writer: Kysely<Tables>;
  readonly reader: Kysely<Tables>;
  readonly words: SqlWords;
  readonly database: string;
}

/** Brings the database to this version. Connections are handed to `opened` at once: its caller ends them. */
export async function connectPostgres(
  url: string,
  patience: Patience,
  opened: (connection: Kysely<Tables>) => Kysely<Tables>,
): Promise<Connected> {
  const address = readDatabaseUrl(url);
  const words = postgresWords(patience.wait);
  const first = opened(openPostgres(address, 'migrate', patience));
  await describePostgres(first);
  await makeSchema(first);
  await migrate(first as unknown as Kysely<never>, words);
  await first.destroy();
  const writer = opened(openPostgres(address, 'write', patience));
  const reader = opened(openPostgres(address, 'read', patience));
  return { writer, reader, words, database: await describePostgres(writer) };
}
