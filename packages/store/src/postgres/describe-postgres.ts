import { type Kysely, sql } from 'kysely';
import { StoreError } from '../store-error.ts';
import type { Tables } from '../tables.ts';

const LEAST = 150_000;

interface Settings {
  number: number;
  version: string;
  encoding: string;
  fsync: string;
  pages: string;
  synchronous: string;
  tls: string | null;
  is_copy: boolean;
}

/**
 * What is on, as the writing connection itself says it: `postgresql 15.14, synchronous_commit on, fsync on,
 * full_page_writes on, transactions serializable, no TLS (this machine)`.
 *
 * @throws StoreError `store.cannot_open` where what is acknowledged could be lost.
 */
export async function describePostgres(db: Kysely<Tables>): Promise<string> {
  const found = await sql<Settings>`
    select current_setting('server_version_num')::int as number, current_setting('server_version') as version,
      current_setting('server_encoding') as encoding, current_setting('fsync') as fsync,
      current_setting('full_page_writes') as pages, current_setting('synchronous_commit') as synchronous,
      (select version from pg_stat_ssl where pid = pg_backend_pid() and ssl) as tls,
      pg_is_in_recovery() as is_copy`.execute(db);
  const settings = found.rows[0];
  if (!settings) throw new StoreError('store.impossible', 'PostgreSQL says nothing of its settings.');
  const refuse = (why: string): never => {
    throw new StoreError('store.cannot_open', why);
  };
  if (settings.number < LEAST)
    refuse(`This is PostgreSQL ${settings.version}. Writ needs PostgreSQL 15 or newer.`);
  if (settings.encoding !== 'UTF8')
    refuse(
      `This database keeps text as ${settings.encoding}. Make one with: createdb --encoding UTF8 --template template0`,
    );
  if (settings.is_copy)
    refuse('This PostgreSQL is a standby, which takes no writes. Name the primary server.');
  for (const [name, value] of [
    ['fsync', settings.fsync],
    ['full_page_writes', settings.pages],
  ])
    if (value !== 'on')
      refuse(`${name} is ${value} in this PostgreSQL: what it acknowledges could be lost. Turn it on.`);
  return [
    `postgresql ${settings.version.split(' ')[0]}`,
    `synchronous_commit ${settings.synchronous}`,
    `fsync ${settings.fsync}`,
    `full_page_writes ${settings.pages}`,
    'transactions serializable',
    settings.tls ?? 'no TLS (this machine)',
  ].join(', ');
}
