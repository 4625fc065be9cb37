import type { Store } from '../store.ts';

/** One empty database, real, of one kind. */
export interface DatabaseUnderTest {
  /** Opens it, as often as wanted, one after the other. */
  open(): Promise<Store>;
  /** What somebody does who gets at the database behind the program's back. */
  tamper(statement: string): Promise<void>;
  remove(): Promise<void>;
}
export type MakeDatabase = () => Promise<DatabaseUnderTest>;
