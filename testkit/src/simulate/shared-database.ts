import { existsSync, mkdtempSync, rmSync, copyFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openStore } from '@writ/store';
import { layTriggers, openJournal, type Journal } from './journal.ts';
import { closeKept } from './kept-connections.ts';

/** One file for all runs of a process, as new at the beginning of each: connections to it can be kept. */
export interface SharedDatabase {
  readonly file: string;
  /** Everybody has closed it. */
  begin(): Journal;
  close(): void;
}

export async function openSharedDatabase(): Promise<SharedDatabase> {
  // In memory where that is a folder: the simulator decides what survives, not the disk.
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'writ-simulate-'));
  const fresh = join(folder, 'fresh.db');
  const store = await openStore({ file: fresh });
  await store.close();
  closeKept();
  layTriggers(fresh);
  const file = join(folder, 'cluster.db');
  copyFileSync(fresh, file);
  const cleaner = new DatabaseSync(file, { enableForeignKeyConstraints: false });
  cleaner.prepare('attach ? as fresh').run(fresh);
  const tables = cleaner.prepare("select name from fresh.sqlite_schema where type = 'table'").all();
  const clean = ['begin immediate', ...tables.flatMap(({ name }) => renew(String(name))), 'commit'].join(';');
  const journal = openJournal(file);
  return {
    file,
    begin() {
      cleaner.exec(clean);
      return journal.begin();
    },
    close() {
      journal.close();
      cleaner.close();
      closeKept();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const renew = (table: string): string[] => [
  `delete from main."${table}"`,
  `insert into main."${table}" select * from fresh."${table}"`,
];
