import { chmodSync, chownSync, lstatSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { arch } from 'node:process';
import { LauncherError } from './launcher-error.ts';
import { runsPerSlot } from './messages.ts';
import type { Machine } from './measure-machine.ts';
import type { OwnerFile } from './owner-file.ts';
import { seccompFilter } from './seccomp-filter.ts';
import type { RunPrivileged } from './work-folder.ts';

/** Folders under the names that a slot's own account can reach. */
export interface Folders {
  readonly slots: string;
  readonly node: string;
  readonly run: string;
  readonly filter: string;
  readonly passwd: string;
  readonly group: string;
}

const runFolder = '/run/writ';

/**
 * Where the launcher may mount, all of it lies in a small file system of its own: a slot's account need not be able to
 * walk to the agent's state.
 */
export async function layOutFolders(
  owner: OwnerFile,
  machine: Machine,
  run: RunPrivileged,
): Promise<Folders> {
  const uid = machine.isRoot ? 0 : (process.getuid?.() ?? null);
  const place = lstatSync(owner.slotsFolder);
  if (!place.isDirectory() || (uid !== null && (place.uid !== uid || (place.mode & 0o022) !== 0)))
    throw new LauncherError(
      'launcher.owner_file',
      `The folder ${owner.slotsFolder} must belong to account ${uid} and be writable by nobody else, or the agent could lead the launcher astray.`,
    );
  if (!machine.hasOwnMounts) return fill(owner.slotsFolder, owner.slotsFolder, owner.node);
  mkdirSync(runFolder, { recursive: true, mode: 0o755 });
  const text = `set -e; PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t tmpfs -o mode=0755,size=64m,nosuid,nodev writ-run "$1"
mount --make-shared "$1"
mkdir "$1/bin" "$1/slots"
: >"$1/bin/node"
mount --bind "$2" "$1/bin/node"
mount --bind "$3" "$1/slots"
mount -o remount,bind,nosuid,nodev,nosymfollow "$1/slots"`;
  const code = await run(['/bin/sh', '-c', text, 'writ-mounts', runFolder, owner.node, owner.slotsFolder]);
  if (code !== 0)
    throw new LauncherError(
      'launcher.mount',
      `The launcher could not mount its folders in ${runFolder} (mount ended with ${code}).`,
    );
  return fill(runFolder, `${runFolder}/slots`, `${runFolder}/bin/node`);
}

function fill(run: string, slots: string, node: string): Folders {
  const folders = {
    slots,
    node,
    run,
    filter: `${run}/filter`,
    passwd: `${run}/passwd`,
    group: `${run}/group`,
  };
  if (arch === 'x64' || arch === 'arm64') writeFresh(folders.filter, seccompFilter(arch), 0o644);
  return folders;
}

export interface SlotFolders {
  readonly files: string;
  readonly run: string;
  readonly work: string;
  readonly inputs: string;
  readonly passwd: string;
  readonly group: string;
}

/**
 * The files of one slot, new: `out`, `err` and `tar` for the agent to read, the rest for the loop. Where slots have
 * accounts, none of it belongs to them: what a job holds open it could close to the next one.
 */
export function layOutSlot(
  folders: Folders,
  slot: number,
  uid: number | null,
  agentUid: number | null,
): SlotFolders {
  const files = `${folders.slots}/${slot}`;
  const run = folders.run === folders.slots ? files : `${folders.run}/slot${slot}`;
  const work = folders.run === folders.slots ? `${files}/work` : `${folders.run}/work${slot}`;
  for (const folder of [files, run, work]) mkdirSync(folder, { recursive: true, mode: 0o755 });
  const inputs = `${files}/in`;
  rmSync(inputs, { recursive: true, force: true });
  mkdirSync(inputs, { mode: 0o710 });
  if (uid !== null) chownSync(inputs, 0, uid);
  const written = (path: string, mode: number, owner: number): void => {
    writeFresh(path, '', mode);
    if (uid === null) return;
    chownSync(path, owner, uid);
    chmodSync(path, 0o660);
  };
  for (let set = 0; set < runsPerSlot; set++)
    for (const name of ['out', 'err', 'tar']) written(`${files}/${name}${set}`, 0o640, agentUid ?? 0);
  written(`${run}/status`, 0o600, 0);
  writeFresh(`${run}/args`, '', 0o640);
  if (uid !== null) chownSync(`${run}/args`, 0, uid);
  if (uid !== null && folders.run === folders.slots) chownSync(work, uid, uid);
  const account = uid ?? process.getuid?.() ?? 0;
  const group = uid ?? process.getgid?.() ?? 0;
  writeFresh(`${run}/passwd`, `job:x:${account}:${group}::/job:/bin/sh\n`, 0o644);
  writeFresh(`${run}/group`, `job:x:${group}:\n`, 0o644);
  return { files, run, work, inputs, passwd: `${run}/passwd`, group: `${run}/group` };
}

function writeFresh(path: string, content: string | Buffer, mode: number): void {
  rmSync(path, { force: true });
  writeFileSync(path, content, { mode, flag: 'wx' });
}
