import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { runProgram } from './run-program.ts';

/** What the tests run against besides Node: Debian's package and a program of it. */
const COUNTERPARTS = [
  { package: 'bubblewrap', program: 'bwrap' },
  { package: 'util-linux', program: 'setpriv' },
  { package: 'strace', program: 'strace' },
  { package: 'iproute2', program: 'ip' },
  { package: 'openssl', program: 'openssl' },
  { package: 'openssh-client', program: 'ssh-keygen' },
  { package: 'chromium', program: 'chromium' },
  // `psql` comes with the client alone; this one with the server.
  { package: 'postgresql', program: 'pg_ctlcluster' },
] as const;

/** Installs what is missing where that is possible. Answers what is still missing, each with the reason. */
export async function setUpCounterparts(say: (line: string) => void): Promise<ReadonlyMap<string, string>> {
  const lacking = new Map(await installMissing(say));
  if (!mayMakeHosts())
    lacking.set('network-namespaces', 'this account may not make network namespaces; root may');
  return lacking;
}

/** Hosts with networks and processes of their own, for tests of what crosses a network. */
const mayMakeHosts = (): boolean => {
  const [unshare, ...apart] = ['unshare', '--net', '--mount', '--uts', '--pid', '--fork', '--mount-proc'];
  return spawnSync(unshare, [...apart, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
};

async function installMissing(say: (line: string) => void): Promise<ReadonlyMap<string, string>> {
  const missing = COUNTERPARTS.filter((counterpart) => !isInstalled(counterpart.program));
  if (missing.length === 0) return new Map();
  const names = missing.map((counterpart) => counterpart.package);
  const obstacle = whyNotInstall();
  if (obstacle === undefined) {
    say(`installing ${names.join(', ')}`);
    await aptGet(['update', '-qq']);
    await aptGet(['install', '-qq', '-y', '--no-install-recommends', ...names]);
  }
  const still = missing.filter((counterpart) => !isInstalled(counterpart.program));
  return new Map(
    still.map((counterpart) => [
      counterpart.package,
      `${counterpart.package} is not installed and ${obstacle ?? 'apt-get could not install it'}; ` +
        `as root: apt-get install ${counterpart.package}`,
    ]),
  );
}

function whyNotInstall(): string | undefined {
  if (process.platform !== 'linux') return `this is ${process.platform}`;
  if (!isInstalled('apt-get')) return 'there is no apt-get';
  if (process.getuid?.() !== 0) return 'only root may install it';
  return undefined;
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

async function aptGet(rest: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await runProgram(['apt-get', ...rest], { cwd: '/', minutes: 5, env });
}
