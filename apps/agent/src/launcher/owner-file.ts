import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { LauncherError } from './launcher-error.ts';

export type Profile = 'strict' | 'user' | 'bare';

/** The most that a run may ask for. */
export interface MostLimits {
  readonly wallMs: number;
  readonly memoryBytes: number;
  readonly pids: number;
  readonly diskBytes: number;
  readonly nofile: number;
  readonly logBytes: number;
  readonly outputsBytes: number;
}

/** What the owner of the machine allows. The agent cannot write it, and nothing the agent says adds to it. */
export interface OwnerFile {
  readonly format: 1;
  /** Lower-case letters, digits and `-`: names the cgroup folder. */
  readonly name: string;
  readonly slots: number;
  readonly profiles: readonly Profile[];
  /** First of the block of 64 ids: the agent's own. Slot n has first + 1 + n. Null where there is no root. */
  readonly firstUid: number | null;
  /** Logs and outputs of slots; the launcher makes what is in it. */
  readonly slotsFolder: string;
  /** Blobs, written by the agent. */
  readonly cacheFolder: string;
  /** The Node binary that jobs find as `/writ/bin/node`. */
  readonly node: string;
  readonly network: 'asked' | 'never';
  readonly most: MostLimits;
}

/** Refuses a file that somebody else could have written. */
export function readOwnerFile(path: string, uid: number | null): OwnerFile {
  if (!isAbsolute(path)) throw faulty(path, 'its path is not absolute');
  const descriptor = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  let text: string;
  try {
    const file = fstatSync(descriptor);
    if (!file.isFile()) throw faulty(path, 'it is not a regular file');
    if (uid !== null) {
      if (file.uid !== uid) throw faulty(path, `it belongs to account ${file.uid}, not ${uid}`);
      if ((file.mode & 0o022) !== 0) throw faulty(path, 'others may write it: chmod 600');
      const folder = lstatSync(dirname(path));
      if (folder.uid !== uid && folder.uid !== 0)
        throw faulty(path, `its folder belongs to account ${folder.uid}`);
      if ((folder.mode & 0o022) !== 0 && (folder.mode & 0o1000) === 0)
        throw faulty(path, 'others may write its folder');
    }
    if (file.size > 65_536) throw faulty(path, 'it is larger than 64 KiB');
    text = readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
  return checkOwnerFile(path, text);
}

function checkOwnerFile(path: string, text: string): OwnerFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw faulty(path, 'it is not JSON', cause);
  }
  if (typeof value !== 'object' || value === null) throw faulty(path, 'it is not a JSON object');
  const file = value as Record<string, unknown>;
  const known = 'cacheFolder,firstUid,format,most,name,network,node,profiles,slots,slotsFolder';
  if (Object.keys(file).sort().join() !== known) throw faulty(path, `its fields must be ${known}`);
  const { name, slots, profiles, firstUid, slotsFolder, cacheFolder, node, network } = file;
  if (file['format'] !== 1) throw faulty(path, 'its format is not 1');
  if (typeof name !== 'string' || !/^[a-z0-9][a-z0-9-]{0,62}$/.test(name))
    throw faulty(path, '"name" is not a name');
  if (!isWhole(slots, 1, 62)) throw faulty(path, '"slots" is not 1 … 62');
  if (
    !Array.isArray(profiles) ||
    profiles.some((each) => each !== 'strict' && each !== 'user' && each !== 'bare')
  )
    throw faulty(path, '"profiles" may list strict, user, bare');
  if (firstUid !== null && !isWhole(firstUid, 1000, 2_147_483_000))
    throw faulty(path, '"firstUid" is not an account');
  for (const [field, folder] of Object.entries({ slotsFolder, cacheFolder, node }))
    if (typeof folder !== 'string' || !isAbsolute(folder))
      throw faulty(path, `"${field}" is not an absolute path`);
  if (network !== 'asked' && network !== 'never') throw faulty(path, '"network" is not asked or never');
  return {
    format: 1,
    name,
    slots,
    profiles: profiles as Profile[],
    firstUid,
    slotsFolder: slotsFolder as string,
    cacheFolder: cacheFolder as string,
    node: node as string,
    network,
    most: checkMost(path, file['most']),
  };
}

const mostFields = [
  'wallMs',
  'memoryBytes',
  'pids',
  'diskBytes',
  'nofile',
  'logBytes',
  'outputsBytes',
] as const;

function checkMost(path: string, value: unknown): MostLimits {
  if (typeof value !== 'object' || value === null) throw faulty(path, '"most" is not an object');
  const most = value as Record<string, unknown>;
  const checked: Partial<Record<keyof MostLimits, number>> = {};
  for (const field of mostFields) {
    const limit = most[field];
    if (!isWhole(limit, 1, Number.MAX_SAFE_INTEGER))
      throw faulty(path, `"most.${field}" is not a whole number above 0`);
    checked[field] = limit;
  }
  if (Object.keys(most).length !== mostFields.length)
    throw faulty(path, `"most" must have just ${mostFields.join()}`);
  return checked as MostLimits;
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most;
}

function faulty(path: string, why: string, cause?: unknown): LauncherError {
  const text = `The owner's file ${path} is refused: ${why}. Write it again with "writ join" or correct it as its owner.`;
  return new LauncherError('launcher.owner_file', text, cause === undefined ? {} : { cause });
}
