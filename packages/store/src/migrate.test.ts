import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { Migrator } from 'kysely/migration';
import { migrationsOf } from './migrate.ts';
import { openStore } from './open-store.ts';
import { openSqlite } from './sqlite/open-sqlite.ts';
import { sqliteWords } from './sqlite/sqlite-words.ts';
import { temporaryDatabase } from './sqlite/temporary-database.ts';

const NAMES = Object.keys(migrationsOf(sqliteWords)).sort();
const schemaFile = (name: string) => new URL(`migrations/${name}.sqlite.sql`, import.meta.url);

test('a database made by a newer program is refused in words', async () => {
  const database = await temporaryDatabase();
  await (await database.open()).close();
  await database.tamper(`insert into kysely_migration (name, timestamp) values ('9999-from-the-future', '')`);
  await assert.rejects(database.open(), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'store.newer_than_program');
    assert.match(error.message, /9999-from-the-future/);
    return true;
  });
  await database.remove();
});

test('a file that is no database is refused in words and left as it is', async () => {
  const database = await temporaryDatabase();
  writeFileSync(database.file, 'this is no database, and it is somebody’s only copy'.repeat(50));
  const before = readFileSync(database.file);
  await assert.rejects(openStore({ file: database.file }), { code: 'store.cannot_open' });
  assert.deepEqual(readFileSync(database.file), before);
  await database.remove();
});

test('a migration that fails half-way leaves the version before, and goes through when its cause is gone', async () => {
  const database = await temporaryDatabase();
  await migrateTo(database.file, '0003-queues');
  const before = schemaOf(database.file);
  await database.tamper('create table removed_job (what text)');
  await assert.rejects(database.open(), { code: 'store.cannot_open' });
  await database.tamper('drop table removed_job');
  assert.equal(schemaOf(database.file), before);
  await (await database.open()).close();
  assert.deepEqual(listDone(database.file), NAMES);
  await database.remove();
});

for (const [step, name] of NAMES.entries()) {
  test(`a database of version ${name} becomes the same as a fresh one`, async () => {
    const fresh = await temporaryDatabase();
    await (await fresh.open()).close();
    const old = await temporaryDatabase();
    await migrateTo(old.file, name);
    // The schema that each version left is kept here: migrations are never edited after their release.
    // `WRIT_WRITE_SCHEMA=1` writes it for a new one.
    if (process.env['WRIT_WRITE_SCHEMA'] === '1') writeFileSync(schemaFile(name), schemaOf(old.file));
    assert.ok(existsSync(schemaFile(name)));
    assert.equal(schemaOf(old.file), readFileSync(schemaFile(name), 'utf8'));
    assert.equal(listDone(old.file).length, step + 1);
    await (await old.open()).close();
    assert.equal(schemaOf(old.file), schemaOf(fresh.file));
    assert.deepEqual(listDone(old.file), NAMES);
    await fresh.remove();
    await old.remove();
  });
}

async function migrateTo(file: string, name: string): Promise<void> {
  const db = openSqlite(file, 'write');
  const done = await new Migrator({
    db,
    provider: { getMigrations: async () => migrationsOf(sqliteWords) },
  }).migrateTo(name);
  await db.destroy();
  assert.equal(done.error, undefined);
}

function schemaOf(file: string): string {
  const database = new DatabaseSync(file);
  const rows = database
    .prepare(`select sql from sqlite_master where sql is not null order by type desc, name`)
    .all();
  database.close();
  return rows.map((row) => `${String(row['sql'])};\n`).join('');
}

function listDone(file: string): string[] {
  const database = new DatabaseSync(file);
  const rows = database.prepare('select name from kysely_migration order by name').all();
  database.close();
  return rows.map((row) => String(row['name']));
}
