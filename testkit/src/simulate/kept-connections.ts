import { DatabaseSync as Database } from 'node:sqlite';
import type { DatabaseSyncOptions, StatementSync } from 'node:sqlite';

export type { SQLInputValue, StatementSync } from 'node:sqlite';

interface Kept {
  readonly database: Database;
  readonly statements: Map<string, StatementSync>;
  /** Settings that were made on it. */
  readonly settled: Set<string>;
}

const idle = new Map<string, Kept[]>();
let commits = 0;

/** How many transactions there were: who has read since the last has missed nothing. */
export const commitsSoFar = (): number => commits;

export function closeKept(): void {
  for (const kept of [...idle.values()].flat()) kept.database.close();
  idle.clear();
}

/**
 * What `node:sqlite` is to the store: its connections, with the statements that were compiled on them, are kept for the next
 * one who opens that file. Programs die often in the simulator, and compiling costs more than all that a run asks.
 */
export class DatabaseSync {
  readonly #kept: Kept;
  readonly #others: Kept[];

  constructor(file: string, options: DatabaseSyncOptions = {}) {
    const name = `${file} ${JSON.stringify(options)}`;
    this.#others = idle.get(name) ?? [];
    idle.set(name, this.#others);
    this.#kept = this.#others.pop() ?? {
      database: new Database(file, options),
      statements: new Map(),
      settled: new Set(),
    };
  }

  get isTransaction(): boolean {
    return this.#kept.database.isTransaction;
  }

  exec(text: string): void {
    const { database, settled } = this.#kept;
    if (settled.has(text)) return;
    database.exec(text);
    if (text.startsWith('pragma ')) settled.add(text);
  }

  prepare(text: string): StatementSync {
    const { database, statements } = this.#kept;
    const statement = statements.get(text) ?? database.prepare(text);
    statements.set(text, statement);
    return text === 'commit' ? counted(statement) : statement;
  }

  close(): void {
    if (this.isTransaction) this.#kept.database.exec('rollback');
    this.#others.push(this.#kept);
  }
}

const counted = (commit: StatementSync): StatementSync =>
  ({
    columns: () => commit.columns(),
    run: () => {
      commits += 1;
      return commit.run();
    },
  }) as StatementSync;
