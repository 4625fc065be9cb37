import { type RawBuilder, sql } from 'kysely';
import type { ColumnKind, Columns, Retry, RowShape, Rows, SqlWords } from '../sql-words.ts';
import { failureOf } from './failure-of.ts';
import { markTransaction, wasCommitted } from './was-committed.ts';

/** All that is Writ's lies in a schema of its own: other programs may share the database. */
export const SCHEMA = 'writ';

/** Each statement travels: a batch is one of them, whatever its size, and one text whatever its size. */
export const postgresWords = (wait: Retry['wait']): SqlWords => ({
  batch: unnest,
  async insertRows(db, shape, rows) {
    if (rows.length === 0) return;
    const columns = namesOf(Object.keys(shape.columns));
    await sql`insert into ${sql.table(shape.table)} (${columns})
      select ${columns} from ${unnest(shape.columns, rows)}`.execute(db);
  },
  async updateRows(db, shape, rows) {
    if (rows.length === 0) return;
    const keys = shape.key.map((name) => sql`${sql.ref(`${shape.table}.${name}`)} = ${inBatch(name)}`);
    await sql`update ${sql.table(shape.table)} set ${sql.join(setsOf(shape))}
      from ${unnest(shape.columns, rows)} where ${sql.join(keys, sql` and `)}`.execute(db);
  },
  indexed: () => sql``,
  lockRows: sql`for update`,
  wholeNumber: 'bigint',
  // In the order of its letters' numbers, as SQLite has it: cursors and prefixes rest on that.
  text: sql`text collate "C"`,
  keptInKeyOrder: sql``,
  schema: SCHEMA,
  // It lies on a disk that is not this program's to judge.
  reusableBytes: async () => 0,
  retry: {
    failureOf,
    mark: markTransaction,
    wasCommitted,
    wait,
  },
});

function unnest(columns: Columns, rows: Rows): RawBuilder<unknown> {
  const arrays = Object.values(columns).map(
    (kind, at) => sql`${rows.map((row) => row[at] ?? null)}::${ARRAY_OF[kind]}`,
  );
  return sql`unnest(${sql.join(arrays)}) as batch(${namesOf(Object.keys(columns))})`;
}

const ARRAY_OF: Readonly<Record<ColumnKind, RawBuilder<unknown>>> = {
  integer: sql`bigint[]`,
  text: sql`text[]`,
};

const namesOf = (names: readonly string[]) => sql.join(names.map((name) => sql.ref(name)));
const inBatch = (name: string) => sql.ref(`batch.${name}`);
const setsOf = (shape: RowShape) =>
  Object.keys(shape.columns)
    .slice(shape.key.length)
    .map((name) => sql`${sql.ref(name)} = ${inBatch(name)}`);
