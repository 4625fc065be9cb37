import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { StoreError } from '../store-error.ts';
import type { Tables } from '../tables.ts';
import { failureOf } from './failure-of.ts';
import { SCHEMA } from './postgres-words.ts';
import type { PostgresAddress } from './read-database-url.ts';

export interface Patience {
  wait(milliseconds: number): Promise<void>;
  /** So long a PostgreSQL that is away is waited for. */
  readonly milliseconds: number;
}

type Mode = 'migrate' | 'write' | 'read';

const READERS = 8;
const LOOK_EVERY_MS = 100;
const CONNECT_MS = 10_000;
/** Only migrations have statements that take so long: otherwise nobody is there any more. */
const ANSWER_MS = 60_000;
/** A statement that PostgreSQL has read and planned once; texts are few, because batches travel in arrays. */
const MAX_NAMES = 500;
const INT8 = 20;
/** The number of the lock that the writing connection holds: `writ` in letters' numbers. */
const WRITER_LOCK = 0x77726974;

/** The connections of one kind. Whoever opens them destroys them. */
export function openPostgres(address: PostgresAddress, mode: Mode, patience: Patience): Kysely<Tables> {
  // It is waited for, whatever its type says.
  const prepared: (client: pg.ClientBase) => unknown = (client) => prepare(client, mode);
  const pool = new pg.Pool({
    host: address.host,
    port: address.port,
    user: address.user,
    ...(address.password === undefined ? {} : { password: address.password }),
    database: address.database,
    ssl: address.tls,
    application_name: `writ ${mode}`,
    max: mode === 'read' ? READERS : 1,
    // The writing connection holds a lock as long as it lives.
    idleTimeoutMillis: mode === 'read' ? 60_000 : 0,
    connectionTimeoutMillis: CONNECT_MS,
    ...(mode === 'migrate' ? {} : { query_timeout: ANSWER_MS }),
    keepAlive: true,
    types: {
      getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
        oid === INT8 && format !== 'binary'
          ? wholeNumber
          : pg.types.getTypeParser(oid, format as 'text')) as never,
    },
    onConnect: prepared,
  });
  // A connection that ends while nobody uses it is made anew when it is needed.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: patiently(pool, address, mode, patience) }),
  });
}

async function prepare(client: pg.ClientBase, mode: Mode): Promise<void> {
  await client.query(
    `set search_path to ${SCHEMA}, pg_temp; set jit to off; set tcp_keepalives_idle to 30;
     set tcp_keepalives_interval to 10; set tcp_keepalives_count to 3;
     set idle_in_transaction_session_timeout to '60s';
     select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'`,
  );
  if (mode === 'read') return;
  const taken = await client.query<{ is_mine: boolean }>(
    `select pg_try_advisory_lock(${WRITER_LOCK}) as is_mine`,
  );
  if (taken.rows[0]?.is_mine !== true)
    throw new StoreError(
      'store.in_use',
      'Another server of Writ writes to this database. Stop it first, or name another database.',
    );
}

/** Whoever asks while PostgreSQL is away waits for it a while, and hears then what is wrong. */
function patiently(pool: pg.Pool, address: PostgresAddress, mode: Mode, patience: Patience): PostgresPool {
  const names = new Map<string, string>();
  const wrapped = new WeakMap<pg.PoolClient, PostgresPoolClient>();
  const wrap = (client: pg.PoolClient): PostgresPoolClient => {
    let known = wrapped.get(client);
    if (!known) wrapped.set(client, (known = withWords(client, address, names, mode === 'read' && connect)));
    return known;
  };
  const connect = async (): Promise<pg.PoolClient> => {
    for (let waited = 0; ; waited += LOOK_EVERY_MS) {
      try {
        return await pool.connect();
      } catch (cause) {
        if (!isPassing(cause)) throw cause;
        if (waited >= patience.milliseconds) throw inWords('store.unavailable', cause, address);
      }
      await patience.wait(LOOK_EVERY_MS);
    }
  };
  return { options: {}, connect: async () => wrap(await connect()), end: () => pool.end() };
}

/** The lock of a server that ended a moment ago, too, is free soon. */
const isPassing = (cause: unknown): boolean =>
  failureOf(cause) === 'cut' || (cause instanceof StoreError && cause.code === 'store.in_use');

/** @param another where a question that changes nothing may be asked once more when its connection is cut. */
function withWords(
  first: pg.PoolClient,
  address: PostgresAddress,
  names: Map<string, string>,
  another: false | (() => Promise<pg.PoolClient>),
): PostgresPoolClient {
  let client = first;
  let isHeld = true;
  let isGone = false;
  let isInTransaction = false;
  const ask = async (text: string, parameters: readonly unknown[]): Promise<unknown> => {
    try {
      return await client.query({ ...nameOf(text, parameters, names), text, values: [...parameters] });
    } catch (cause) {
      if (failureOf(cause) !== 'cut') throw cause;
      isGone = true;
      throw inWords('store.cut_off', cause, address);
    }
  };
  return {
    query: (async (text: string, parameters: readonly unknown[]) => {
      if (BEGINS.test(text)) isInTransaction = true;
      try {
        return await ask(text, parameters);
      } catch (cause) {
        if (!isGone || !isHeld || !another || isInTransaction) throw cause;
        // Given back before another one is waited for: all of them may be cut at once.
        client.release(true);
        isHeld = false;
        client = await another();
        isHeld = true;
        isGone = false;
        return await ask(text, parameters);
      }
    }) as never,
    release() {
      isInTransaction = false;
      if (isHeld) client.release(isGone);
    },
  };
}

const BEGINS = /^(begin|start transaction)/;

/** Begin and commit have no parameters, and nothing to plan. */
function nameOf(
  text: string,
  parameters: readonly unknown[],
  names: Map<string, string>,
): { readonly name?: string } {
  if (parameters.length === 0) return {};
  const known = names.get(text);
  if (known !== undefined) return { name: known };
  if (names.size >= MAX_NAMES) return {};
  const name = `writ_${names.size}`;
  names.set(text, name);
  return { name };
}

function inWords(
  code: 'store.unavailable' | 'store.cut_off',
  cause: unknown,
  { name }: PostgresAddress,
): StoreError {
  if (cause instanceof StoreError) return cause;
  const what = code === 'store.cut_off' ? 'ended the connection' : 'cannot be reached';
  return new StoreError(
    code,
    `PostgreSQL with ${name} ${what}: ${wordsOf(cause)}. Writ connects again by itself; then ask again.`,
    { cause },
  );
}

function wordsOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return wordsOf(cause.errors[0]);
  return cause instanceof Error ? cause.message : String(cause);
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number))
    throw new StoreError('store.impossible', `The database has the number ${text}, which is beyond 2^53.`);
  return number;
}
