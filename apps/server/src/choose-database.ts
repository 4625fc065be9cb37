import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenStoreAsked } from '@writ/store';
import { StartError } from './server-error.ts';
import type { StatePaths } from './state-paths.ts';

/** Where the records of this state folder are: the database that is named now, or in its file, else a file in the folder. */
export function chooseDatabase(named: string | undefined, paths: StatePaths): OpenStoreAsked {
  const url = named ?? readNamed(paths.databaseUrl);
  if (url === undefined) return { file: paths.database };
  if (existsSync(paths.database))
    throw new StartError(
      'options.wrong',
      `The records of this state folder are in its file ${paths.database}, and would not be found in PostgreSQL. Name another state folder, or no database.`,
    );
  return { url, wait: (milliseconds) => sleep(milliseconds) };
}

function readNamed(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new StartError('state.unusable', `${file}, which names the database, cannot be read.`, { cause });
  }
}
