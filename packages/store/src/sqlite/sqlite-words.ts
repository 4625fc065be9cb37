import { sql } from 'kysely';
import type { SqlWords } from '../sql-words.ts';

export const sqliteWords: SqlWords = {
  batch(columns, rows) {
    const picked = Object.keys(columns).map((name, at) => sql`value ->> ${sql.lit(at)} as ${sql.ref(name)}`);
    return sql`(select ${sql.join(picked)} from json_each(${JSON.stringify(rows)})) as batch`;
  },
  // One writer: whatever it reads in its transaction nobody else changes.
  lockRows: sql``,
  keptInKeyOrder: sql`without rowid`,
};
