import type { RawBuilder } from 'kysely';

export type Cell = string | number | null;
export type ColumnKind = 'integer' | 'text';

/** The few words in which databases differ. All statements besides are the same on each. */
export interface SqlWords {
  /** A table expression named `batch`, with these columns and rows, given in one parameter or one per column. */
  batch(
    columns: Readonly<Record<string, ColumnKind>>,
    rows: readonly (readonly Cell[])[],
  ): RawBuilder<unknown>;
  /** Stands at the end of a select whose rows the same transaction will change. */
  readonly lockRows: RawBuilder<unknown>;
  /** Stands at the end of a table that is kept in the order of its primary key. */
  readonly keptInKeyOrder: RawBuilder<unknown>;
}
