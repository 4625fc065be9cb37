import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { Kysely, SqliteAdapter, SqliteDialect } from 'kysely';
import type { Tables } from '../tables.ts';
import { isForEachRow, runForEachRow } from './run-for-each-row.ts';

/** A compiled statement is worth keeping; texts are few, because batches travel in one parameter. */
const MAX_STATEMENTS = 500;

/** One connection. Whoever opens it destroys it. */
export function openSqlite(file: string, mode: 'write' | 'read'): Kysely<Tables> {
  const database = new DatabaseSync(file, { readOnly: mode === 'read', enableForeignKeyConstraints: true });
  database.exec('pragma busy_timeout = 10000; pragma cache_size = -32000; pragma temp_store = memory');
  if (mode === 'write')
    database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 4000');
  const statements = new Map<string, ReturnType<typeof asKyselyTakesIt>>();
  return new Kysely<Tables>({
    dialect: new Dialect({
      database: {
        close: () => database.close(),
        prepare(text) {
          let statement = statements.get(text);
          if (!statement) {
            statement = asKyselyTakesIt(
              database.prepare(text),
              isForEachRow(text),
              () => text === 'rollback' && !database.isTransaction,
            );
            if (statements.size >= MAX_STATEMENTS) statements.clear();
            statements.set(text, statement);
          }
          return statement;
        },
      },
    }),
  });
}

/** All migrations or none, and one sync of the disk for all of them: SQLite can do that, as long as none turns a pragma. */
class Dialect extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new Adapter();
  }
}

class Adapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** @param isOver SQLite takes some transactions back by itself, as on a full disk: why is what people are to hear. */
function asKyselyTakesIt(statement: StatementSync, isForRows: boolean, isOver: () => boolean) {
  return {
    reader: !isForRows && statement.columns().length > 0,
    all: (parameters: readonly unknown[]) => statement.all(...(parameters as SQLInputValue[])),
    run: (parameters: readonly unknown[]) =>
      isOver()
        ? { changes: 0, lastInsertRowid: 0 }
        : isForRows
          ? runForEachRow(statement, parameters)
          : statement.run(...(parameters as SQLInputValue[])),
    iterate: (parameters: readonly unknown[]) => statement.iterate(...(parameters as SQLInputValue[])),
  };
}
