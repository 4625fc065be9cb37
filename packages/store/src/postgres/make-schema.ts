import { type Kysely, sql } from 'kysely';
import type { Tables } from '../tables.ts';
import { SCHEMA } from './postgres-words.ts';

/** Asks for the right to make it only where it is not there: an owner may have made it for this user. */
export async function makeSchema(db: Kysely<Tables>): Promise<void> {
  const found = await sql`select 1 from pg_namespace where nspname = ${SCHEMA}`.execute(db);
  if (found.rows.length === 0) await sql`create schema if not exists ${sql.id(SCHEMA)}`.execute(db);
}
