import { closeSync, existsSync, fchownSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { Places } from './places.ts';

interface Bind {
  readonly from: string;
  readonly to: string;
  readonly writable: false;
}

/** What of a database's address lies on this machine, and where the server sees it behind its wall. */
const ON_THIS_MACHINE = [
  { parameter: 'host', seenAs: '/writ/postgres' },
  { parameter: 'sslrootcert', seenAs: '/writ/postgres-root.pem' },
] as const;

/**
 * Tells the server by a file where its records are kept: on its command line everybody could read the password. The
 * owner's own file keeps the address as it was given, so that each later start means the same database.
 */
export function nameDatabase(places: Places, given: string | undefined, uid: number | null): readonly Bind[] {
  const kept = path.join(places.state, 'database-url');
  const told = path.join(places.server, 'database-url');
  if (given !== undefined) writePrivately(kept, given);
  if (!existsSync(kept)) return [];
  let url = readFileSync(kept, 'utf8').trim();
  const binds: Bind[] = [];
  if (places.bwrap !== null)
    for (const { parameter, seenAs } of ON_THIS_MACHINE)
      url = url.replace(new RegExp(`([?&]${parameter}=)([^&#]*)`), (_all, name: string, value: string) => {
        const from = decodeURIComponent(value);
        if (!path.isAbsolute(from) || !existsSync(from)) return `${name}${value}`;
        binds.push({ from, to: seenAs, writable: false });
        return `${name}${seenAs}`;
      });
  writePrivately(told, url, uid);
  return binds;
}

/** Made anew each time: who might read or write an old one, or where it leads, does not count. */
function writePrivately(file: string, text: string, uid: number | null = null): void {
  rmSync(file, { force: true });
  const descriptor = openSync(file, 'wx', 0o600);
  try {
    writeSync(descriptor, `${text}\n`);
    if (uid !== null) fchownSync(descriptor, uid, uid);
  } finally {
    closeSync(descriptor);
  }
}
