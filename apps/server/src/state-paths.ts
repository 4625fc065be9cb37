import { join } from 'node:path';

/** Where everything of a server lies, below its state folder. */
export interface StatePaths {
  readonly folder: string;
  readonly database: string;
  /** Names a PostgreSQL, with its password: `postgres://…`. */
  readonly databaseUrl: string;
  readonly files: string;
  readonly logs: string;
  readonly authority: string;
  /** In it: without this one nothing can be issued. */
  readonly authorityKey: string;
  readonly authoritySecret: string;
  readonly addressFile: string;
  readonly listeningFile: string;
  /** For how many seconds tasks are leased, where that was said once. */
  readonly lease: string;
}

export function statePaths(state: string): StatePaths {
  const folder = join(state, 'server');
  return {
    folder,
    database: join(folder, 'writ.db'),
    databaseUrl: join(folder, 'database-url'),
    files: join(folder, 'files'),
    logs: join(folder, 'logs'),
    authority: join(folder, 'authority'),
    authorityKey: join(folder, 'authority', 'issuing.json'),
    authoritySecret: join(folder, 'authority-secret'),
    addressFile: join(folder, 'address.json'),
    listeningFile: join(folder, 'listening.json'),
    lease: join(folder, 'lease-seconds'),
  };
}
