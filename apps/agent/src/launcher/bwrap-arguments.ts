import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import { socketInside } from './job-socket.ts';
import { blobName } from './take-inputs.ts';
import type { RunMessage } from './messages.ts';

/** What of the machine is put into a sandbox; looked up once, when the launcher starts. */
export interface SandboxPlaces {
  readonly node: string;
  /** `passwd` and `group` as the job sees them, made by the launcher. */
  readonly passwd: string;
  readonly group: string;
  readonly system: readonly string[];
  readonly resolver: readonly string[];
}

export type WorkPlace =
  | { readonly is: 'folder'; readonly path: string }
  /** bwrap's own file system, gone when the run ends. */
  | { readonly is: 'memory'; readonly bytes: number };

/** Walls that stand by an option of their own; a test takes each away and looks whether the probe sees it. */
export type BwrapOption =
  | 'unshare-user'
  | 'unshare-ipc'
  | 'unshare-pid'
  | 'unshare-net'
  | 'unshare-uts'
  | 'unshare-cgroup'
  | 'disable-userns'
  | 'new-session'
  | 'read-only-root'
  | 'private-tmp'
  | 'private-proc'
  | 'private-dev'
  | 'seccomp';

export function findSandboxPlaces(node: string, passwd: string, group: string): SandboxPlaces {
  const system: string[] = ['--ro-bind', '/usr', '/usr'];
  for (const name of ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']) {
    if (!existsSync(name)) continue;
    if (lstatSync(name).isSymbolicLink()) system.push('--symlink', readlinkSync(name), name);
    else system.push('--ro-bind', name, name);
  }
  for (const name of [
    '/etc/ld.so.cache',
    '/etc/alternatives',
    '/etc/ssl/certs',
    '/etc/localtime',
    '/nix/store',
  ])
    if (existsSync(name)) system.push('--ro-bind', name, name);
  const resolver = ['/etc/resolv.conf', '/etc/hosts', '/etc/nsswitch.conf'].flatMap((name) =>
    existsSync(name) ? ['--ro-bind', name, name] : [],
  );
  return { node, passwd, group, system, resolver };
}

/** The options of one run, for `--args`: nothing of them is seen in `ps`. */
export function bwrapArguments(
  run: Pick<RunMessage, 'env' | 'inputs' | 'network' | 'limits'>,
  places: SandboxPlaces,
  work: WorkPlace,
  inputsFolder: string,
  /** By which the job speaks to its agent; null where it cannot. */
  jobSocket: string | null,
  without: ReadonlySet<BwrapOption> = new Set(),
): string[] {
  const on = (option: BwrapOption, ...args: string[]): string[] => (without.has(option) ? [] : args);
  const tmpBytes = String(Math.min(run.limits.diskBytes, 268_435_456));
  const args = [
    ...on('unshare-user', '--unshare-user'),
    ...on('unshare-ipc', '--unshare-ipc'),
    ...on('unshare-pid', '--unshare-pid'),
    ...(run.network ? [] : on('unshare-net', '--unshare-net')),
    ...on('unshare-uts', '--unshare-uts', '--hostname', 'job'),
    ...on('unshare-cgroup', '--unshare-cgroup-try'),
    ...(without.has('unshare-user') ? [] : on('disable-userns', '--disable-userns')),
    '--die-with-parent',
    ...on('new-session', '--new-session'),
    '--cap-drop',
    'ALL',
    '--json-status-fd',
    '5',
    ...on('seccomp', '--seccomp', '4'),
    ...places.system,
    ...(without.has('private-proc') ? ['--ro-bind', '/proc', '/proc'] : ['--proc', '/proc']),
    ...(without.has('private-dev')
      ? ['--dev-bind', '/dev', '/dev']
      : ['--dev', '/dev', '--size', '67108864', '--tmpfs', '/dev/shm']),
    ...(without.has('private-tmp')
      ? ['--bind', '/tmp', '/tmp']
      : ['--size', tmpBytes, '--perms', '1777', '--tmpfs', '/tmp']),
    '--ro-bind',
    places.passwd,
    '/etc/passwd',
    '--ro-bind',
    places.group,
    '/etc/group',
    '--dir',
    '/writ/bin',
    '--ro-bind',
    places.node,
    '/writ/bin/node',
    ...(jobSocket === null ? [] : ['--ro-bind', jobSocket, socketInside]),
    ...(run.network ? places.resolver : []),
    ...(work.is === 'folder'
      ? ['--bind', work.path, '/job']
      : ['--size', String(work.bytes), '--perms', '0700', '--tmpfs', '/job']),
  ];
  for (const [path, digestHex, executable] of run.inputs)
    args.push('--ro-bind', `${inputsFolder}/${blobName(digestHex, executable)}`, `/job/${path}`);
  args.push(...on('read-only-root', '--remount-ro', '/'));
  for (const [name, value] of jobEnv(run.env, '/job', '/writ/bin', jobSocket && socketInside))
    args.push('--setenv', name, value);
  args.push('--chdir', '/job');
  return args;
}

/** What every job finds, and over it what its order sets. */
export function jobEnv(
  env: RunMessage['env'],
  home: string,
  nodeFolder: string,
  jobSocket: string | null,
): Map<string, string> {
  return new Map([
    ['PATH', `${nodeFolder}:/usr/local/bin:/usr/bin:/bin`],
    ['HOME', home],
    ['LANG', 'C.UTF-8'],
    ['TMPDIR', '/tmp'],
    ...env,
    ...(jobSocket === null ? [] : [['WRIT_JOB_API', jobSocket] as const]),
  ]);
}

/** bwrap reads its options one after another, each ended by a NUL. */
export function argumentsFile(args: readonly string[]): string {
  return `${args.join('\0')}\0`;
}
