import { existsSync, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { StartError } from './start-error.ts';

/** What a program is started with: its own code read-only, its own state, and nothing else of the machine's files. */
export interface ProgramPlace {
  readonly node: string;
  /** The folder of the code: a checkout, or the folder of a bundle. */
  readonly app: string;
  /** The one folder it may write. As root it must belong to `uid` already. */
  readonly state: string;
  /** The account to run as, given with root; null keeps the caller's. */
  readonly uid: number | null;
  readonly root: boolean;
  /** Null where bubblewrap is not to be had: then there is no wall, and only the account is changed. */
  readonly bwrap: string | null;
  /** The program, relative to `app`. */
  readonly entry: string;
  /** A function gets the folders under the names that the program knows them by. */
  readonly args: (inside: ProgramInside) => readonly string[];
  /** More folders, `from` outside `to` inside; without bubblewrap they stay where they are. */
  readonly binds?: ReadonlyArray<{ readonly from: string; readonly to: string; readonly writable: boolean }>;
  /** Whether it dies with the process that starts it. */
  readonly diesWithParent: boolean;
  /** A descriptor to which bwrap writes `{"child-pid": …}`: the process to send signals to. */
  readonly statusDescriptor: number | null;
}

export interface ProgramInside {
  readonly app: string;
  readonly state: string;
  readonly node: string;
  /** Where a bind is seen: `to` in a sandbox, `from` without one. */
  readonly bound: (to: string) => string;
}

export interface ProgramLine {
  readonly argv: readonly string[];
  readonly inside: ProgramInside;
  readonly isWalled: boolean;
}

/** One line for the server and for the agent. Works from a folder that the account itself could not enter. */
export function programLine(place: ProgramPlace): ProgramLine {
  const { bwrap } = place;
  if (!existsSync(join(place.app, place.entry)))
    throw new StartError(
      'start.no_entry',
      `There is no program ${place.entry} in ${place.app}: the installation is not whole.`,
    );
  const drop = place.root && place.uid !== null ? dropLine(place.uid) : [];
  if (bwrap === null) {
    const bound = (to: string): string => place.binds?.find((bind) => bind.to === to)?.from ?? to;
    const inside = { app: place.app, state: place.state, node: place.node, bound };
    return {
      argv: [...drop, place.node, join(place.app, place.entry), ...place.args(inside)],
      inside,
      isWalled: false,
    };
  }
  const inside: ProgramInside = {
    app: '/writ/app',
    state: '/writ/state',
    node: '/writ/bin/node',
    bound: (to) => to,
  };
  const binds = (place.binds ?? []).flatMap(({ from, to, writable }) => [
    writable ? '--bind' : '--ro-bind',
    from,
    to,
  ]);
  const argv = [
    bwrap,
    ...(place.root ? [] : ['--unshare-user', '--disable-userns', '--cap-drop', 'ALL']),
    // Without a process namespace of its own it could reach the other processes of its account through /proc.
    '--unshare-pid',
    '--as-pid-1',
    '--unshare-ipc',
    '--new-session',
    ...(place.diesWithParent ? ['--die-with-parent'] : []),
    ...(place.statusDescriptor === null ? [] : ['--json-status-fd', String(place.statusDescriptor)]),
    ...systemBinds(),
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--perms',
    '1777',
    '--tmpfs',
    '/tmp',
    '--dir',
    '/writ',
    '--dir',
    '/writ/bin',
    '--dir',
    '/writ/app',
    '--ro-bind',
    place.node,
    inside.node,
    ...appBinds(place),
    '--bind',
    place.state,
    inside.state,
    ...binds,
    '--remount-ro',
    '/',
    '--chdir',
    inside.state,
    '--',
    ...drop,
    inside.node,
    join(inside.app, place.entry),
    ...place.args(inside),
  ];
  return { argv, inside, isWalled: true };
}

function dropLine(uid: number): string[] {
  const line = ['/usr/bin/setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--no-new-privs'];
  return [...line, '--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all'];
}

function systemBinds(): string[] {
  // Folders that bwrap makes on the way to a bind are closed to all but root.
  const binds = ['--dir', '/etc', '--dir', '/etc/ssl', '--ro-bind', '/usr', '/usr'];
  for (const name of ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']) {
    if (!existsSync(name)) continue;
    if (lstatSync(name).isSymbolicLink()) binds.push('--symlink', readlinkSync(name), name);
    else binds.push('--ro-bind', name, name);
  }
  const settings = [
    'resolv.conf',
    'hosts',
    'nsswitch.conf',
    'ssl/certs',
    'ld.so.cache',
    'localtime',
    'alternatives',
    // By which the agent knows that its folder was not copied from elsewhere.
    'machine-id',
  ];
  for (const name of [...settings.map((setting) => `/etc/${setting}`), '/nix/store'])
    if (existsSync(name)) binds.push('--ro-bind', name, name);
  return binds;
}

/**
 * Entry by entry: the folder itself may be one that only root can enter, as one made by `mktemp -d` is. Of a built
 * program only its own, `name.js` and `name-….js`: what is not seen is not abused, and each bind costs time at the start.
 */
function appBinds(place: ProgramPlace): string[] {
  if (place.root && place.uid !== null && (statSync(join(place.app, place.entry)).mode & 0o004) === 0)
    throw new StartError(
      'start.app_unreadable',
      `Account ${place.uid} may not read ${join(place.app, place.entry)}. Give the code to all: chmod -R o+rX ${place.app}`,
    );
  const isBuilt = /^[a-z]+\.js$/.test(place.entry);
  const own = `${place.entry.slice(0, -'.js'.length)}-`;
  const isNeeded = (name: string): boolean =>
    isBuilt ? [place.entry, 'package.json'].includes(name) || name.startsWith(own) : name !== '.git';
  return readdirSync(place.app)
    .filter(isNeeded)
    .flatMap((name) => ['--ro-bind', join(place.app, name), `/writ/app/${name}`]);
}
