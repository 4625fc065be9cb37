// needs: postgresql
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { at, id, newJob, withStore } from '../conformance/samples.ts';
import { migrationsOf } from '../migrate.ts';
import { openStore } from '../open-store.ts';
import { makeSchema } from './make-schema.ts';
import { openPostgres } from './open-postgres.ts';
import { postgresWords } from './postgres-words.ts';
import { readDatabaseUrl } from './read-database-url.ts';
import { type TemporaryCluster, temporaryCluster } from './testing/temporary-cluster.ts';
import { temporaryDatabase } from './testing/temporary-database.ts';

const wait = (ms: number) => sleep(ms);
const words = postgresWords(wait);
const NAMES = Object.keys(migrationsOf(words)).sort();
const schemaFile = (name: string) => new URL(`../migrations/${name}.postgres.sql`, import.meta.url);
let cluster: TemporaryCluster;
before(async () => {
  cluster = await temporaryCluster();
});
after(() => cluster.remove());
const database = () => temporaryDatabase(cluster);
const open = (url: string) => openStore({ url, wait, patienceMs: 200 });

test('a database made by a newer program is refused in words', async () => {
  const made = await database();
  await (await made.open()).close();
  await made.tamper(`insert into kysely_migration (name, timestamp) values ('9999-from-the-future', '')`);
  await assert.rejects(made.open(), {
    code: 'store.newer_than_program',
    message: /9999-from-the-future, which this program does not know/,
  });
  await made.remove();
});

for (const [step, name] of NAMES.entries()) {
  test(`a PostgreSQL database of version ${name} becomes the same as a fresh one`, async () => {
    const fresh = await database();
    await (await fresh.open()).close();
    const old = await database();
    const db = openPostgres(readDatabaseUrl(old.url), 'migrate', { wait, milliseconds: 1000 });
    await makeSchema(db);
    const done = await new Migrator({
      db: db as unknown as Kysely<never>,
      provider: { getMigrations: async () => migrationsOf(words) },
      migrationTableSchema: 'writ',
    }).migrateTo(name);
    await db.destroy();
    assert.equal(done.error, undefined);
    // As for SQLite: `WRIT_WRITE_SCHEMA=1` writes it for a new one.
    if (process.env['WRIT_WRITE_SCHEMA'] === '1') writeFileSync(schemaFile(name), await schemaOf(old.name));
    assert.ok(existsSync(schemaFile(name)));
    assert.equal(await schemaOf(old.name), readFileSync(schemaFile(name), 'utf8'));
    const count = `select count(*)::int as count from writ.kysely_migration`;
    assert.equal((await cluster.query(old.name, count))[0]?.['count'], step + 1);
    await (await old.open()).close();
    assert.equal(await schemaOf(old.name), await schemaOf(fresh.name));
    await fresh.remove();
    await old.remove();
  });
}

async function schemaOf(name: string): Promise<string> {
  const columns = await cluster.query(
    name,
    `select format('%s.%s %s%s%s%s;', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
       case when a.attnotnull then ' not null' end, ' default ' || pg_get_expr(d.adbin, d.adrelid),
       case when l.collname <> 'default' then ' collate ' || l.collname end) as line
     from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
       left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
       left join pg_collation l on l.oid = a.attcollation
     where n.nspname = 'writ' and c.relkind = 'r' and a.attnum > 0 order by c.relname, a.attname`,
  );
  const indexes = await cluster.query(
    name,
    `select indexdef || ';' as line from pg_indexes where schemaname = 'writ' order by indexname`,
  );
  return [...columns, ...indexes].map((row) => `${String(row['line'])}\n`).join('');
}

test('tables of other programs in the same database are neither taken for ours nor touched', async () => {
  const made = await database();
  await cluster.query(
    made.name,
    `create table public.kysely_migration (name text); insert into public.kysely_migration values ('theirs'); create table public.job (x int)`,
  );
  const store = await made.open();
  await store.close();
  assert.deepEqual(await cluster.query(made.name, 'select * from public.kysely_migration'), [
    { name: 'theirs' },
  ]);
  assert.deepEqual(await cluster.query(made.name, 'select * from public.job'), []);
  await made.remove();
});

test('jobs are found by the first letters of their id in a database that sorts as a language does', async () => {
  await cluster.query(
    'postgres',
    `create database sorted locale_provider icu icu_locale 'en' encoding 'UTF8' template template0`,
  );
  const store = await open(cluster.url('sorted'));
  await store.jobs.submit(newJob('djob'), at(10));
  const found = await store.jobs.listJobs({ after: null, limit: 5, idPrefix: 'dj' });
  assert.deepEqual(
    found.items.map((job) => job.id),
    [id('djob')],
  );
  await store.close();
});

test('a whole number beyond 2^53 is refused, not rounded', async () => {
  await withStore(database, async (store, made) => {
    await store.jobs.submit(newJob('big'), at(10));
    await made.tamper(`update job set not_after = 9007199254740993`);
    await assert.rejects(store.jobs.readJob(id('big')), {
      code: 'store.impossible',
      message: /9007199254740993, which is beyond 2\^53/,
    });
    await made.tamper(`update job set not_after = 9007199254740991`);
    assert.equal((await store.jobs.readJob(id('big')))?.notAfter, 9007199254740991);
  })();
});

test('a user who has turned synchronous_commit off for himself still gets commits that are on disk', async () => {
  const made = await database();
  await cluster.query(made.name, `alter database ${made.name} set synchronous_commit = off`);
  const store = await made.open();
  assert.match(store.database, /synchronous_commit on/);
  await store.close();
  await made.remove();
});

test('a PostgreSQL that could lose what it acknowledged is refused, and so is text that is not UTF-8', async () => {
  const made = await database();
  for (const name of ['fsync', 'full_page_writes']) {
    await cluster.query('postgres', `alter system set ${name} = off`);
    await cluster.query('postgres', 'select pg_reload_conf()');
    await sleep(300);
    await assert.rejects(open(made.url), {
      code: 'store.cannot_open',
      message: new RegExp(`^${name} is off in this PostgreSQL`),
    });
    await cluster.query('postgres', `alter system reset ${name}`);
    await cluster.query('postgres', 'select pg_reload_conf()');
    await sleep(300);
  }
  await (await made.open()).close();
  await made.remove();
  await cluster.query('postgres', `create database latin encoding 'LATIN1' locale 'C' template template0`);
  await assert.rejects(open(cluster.url('latin')), { code: 'store.cannot_open', message: /as LATIN1/ });
});

test('a wrong password and a database that is not there are said at once, and no error holds the password', async () => {
  await cluster.query('postgres', `create role guarded login password 'right-one'`);
  const hba = (await cluster.query('postgres', 'show hba_file'))[0]?.['hba_file'] as string;
  const before = readFileSync(hba, 'utf8');
  writeFileSync(hba, `local all guarded scram-sha-256\n${before}`);
  await cluster.query('postgres', 'select pg_reload_conf()');
  await sleep(300);
  const url = (password: string, name: string) =>
    `postgres://guarded:${password}@/${name}?host=${encodeURIComponent(cluster.folder)}`;
  for (const [asked, why] of [
    [url('s3cret-wrong', 'postgres'), /password authentication failed/],
    [url('right-one', 'nowhere'), /database "nowhere" does not exist/],
  ] as const)
    await assert.rejects(open(asked), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'store.cannot_open');
      assert.match(error.message, why);
      assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /s3cret-wrong|right-one/);
      return true;
    });
});
