import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { DatabaseUnderTest } from '../conformance/database-under-test.ts';
import { openStore } from '../open-store.ts';

/** A database file in a folder of its own. For tests. */
export async function temporaryDatabase(): Promise<DatabaseUnderTest & { readonly file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'writ-store-'));
  const file = join(folder, 'writ.db');
  return {
    file,
    open: () => openStore({ file }),
    async tamper(statement) {
      const database = new DatabaseSync(file);
      database.exec('pragma busy_timeout = 5000');
      database.exec(statement);
      database.close();
    },
    remove: () => rm(folder, { recursive: true }),
  };
}
