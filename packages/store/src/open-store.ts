import type { Store } from './store.ts';

export interface OpenStoreAsked {
  /** Path of the database file; its folder exists. */
  readonly file: string;
  /** Milliseconds since 1970: when a migration ran. */
  readonly now?: () => number;
}

/** @throws StoreError `store.newer_than_program` for a database of a later version of Writ. */
export declare function openStore(asked: OpenStoreAsked): Promise<Store>;
