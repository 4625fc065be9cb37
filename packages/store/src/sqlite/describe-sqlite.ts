import { type Kysely, sql } from 'kysely';
import type { Tables } from '../tables.ts';

const LEVELS = ['off', 'normal', 'full', 'extra'];

/** What is on, as the connection itself says it: `sqlite 3.50.4, journal wal, synchronous full`. */
export async function describeSqlite(db: Kysely<Tables>): Promise<string> {
  const version = await sql<{ version: string }>`select sqlite_version() as version`.execute(db);
  const journal = await sql<{ journal_mode: string }>`pragma journal_mode`.execute(db);
  const synchronous = await sql<{ synchronous: number }>`pragma synchronous`.execute(db);
  const level = LEVELS[synchronous.rows[0]?.synchronous ?? -1] ?? 'unknown';
  return `sqlite ${version.rows[0]?.version ?? ''}, journal ${journal.rows[0]?.journal_mode ?? 'unknown'}, synchronous ${level}`;
}
