import type { Kysely, RawBuilder, Transaction } from 'kysely';
import type { Tables } from './tables.ts';

export type Cell = string | number | null;
export type ColumnKind = 'integer' | 'text';
export type Columns = Readonly<Record<string, ColumnKind>>;
export type Rows = readonly (readonly Cell[])[];

/** Rows of a table, written by their key. */
export interface RowShape {
  readonly table: keyof Tables;
  readonly columns: Columns;
  /** The first columns: what a row is found by. */
  readonly key: readonly string[];
}

/** The few words in which databases differ. All statements besides are the same on each. */
export interface SqlWords {
  /** A table expression named `batch` with these columns: for keys. */
  batch(columns: Columns, rows: Rows): RawBuilder<unknown>;
  /** One statement for all rows where each statement travels, one prepared statement where it does not. */
  insertRows(db: Kysely<Tables>, shape: RowShape, rows: Rows): Promise<void>;
  updateRows(db: Kysely<Tables>, shape: RowShape, rows: Rows): Promise<void>;
  /** Stands behind a table in a select that must not walk more than this index holds; others see by their statistics. */
  indexed(index: string): RawBuilder<unknown>;
  /** Stands at the end of a select whose rows the same transaction will change. */
  readonly lockRows: RawBuilder<unknown>;
  /** The type of text that is ordered by the numbers of its letters. */
  readonly text: 'text' | RawBuilder<unknown>;
  /** The type of whole numbers up to 2^53. */
  readonly wholeNumber: 'integer' | 'bigint';
  /** Stands at the end of a table that is kept in the order of its primary key. */
  readonly keptInKeyOrder: RawBuilder<unknown>;
  /** Where the tables are; null where a database has no such places. */
  readonly schema: string | null;
  /** What the file of the database has room for without growing. */
  reusableBytes(db: Kysely<Tables>): Promise<number>;
  /** Null where a transaction fails only by what stands in it. */
  readonly retry: Retry | null;
}

/** `again`: it lost against another one. `cut`: its connection ended. `gone`: there is no database now. */
export type Failure = 'again' | 'cut' | 'gone' | 'refused';

/** How a transaction that failed is run again, and never when it was committed. */
export interface Retry {
  failureOf(cause: unknown): Failure;
  /** By which it can be asked later what became of this transaction. */
  mark(transaction: Transaction<Tables>): Promise<string>;
  /** Asked before anything else is written. */
  wasCommitted(db: Kysely<Tables>, mark: string): Promise<boolean>;
  wait(milliseconds: number): Promise<void>;
}
