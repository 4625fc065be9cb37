import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Machine {
  readonly platform: string;
  readonly isRoot: boolean;
  readonly path: string;
}

/**
 * Brings bubblewrap where that is possible.
 * @returns why there is no sandbox, and the command that would help; undefined when there is one.
 */
export function findSandbox(machine: Machine, say: (line: string) => void): string | undefined {
  if (machine.platform !== 'linux') {
    return `On ${machine.platform} there is no sandbox that Writ could use. Without one: npm run quickstart -- --bare`;
  }
  if (isInstalled('bwrap', machine)) return undefined;
  const command = installCommand(machine);
  if (machine.isRoot && isInstalled('apt-get', machine)) {
    say('  installing bubblewrap, the sandbox that jobs run in …');
    // A fresh machine has no package lists yet.
    const failure =
      aptGet(INSTALL, machine) && (aptGet(['update', '-qq'], machine) ?? aptGet(INSTALL, machine));
    if (isInstalled('bwrap', machine)) return undefined;
    say(`  ${failure ?? 'apt-get brought no bwrap'}`);
  }
  return `Jobs run in a sandbox made by bubblewrap, which is not on this machine. Install it:
  ${command}
Or run without one, trusting the picture's program: npm run quickstart -- --bare`;
}

function installCommand(machine: Machine): string {
  const known = [
    ['apt-get', 'apt-get install -y bubblewrap'],
    ['dnf', 'dnf install -y bubblewrap'],
    ['zypper', 'zypper install -y bubblewrap'],
    ['pacman', 'pacman -S --noconfirm bubblewrap'],
    ['apk', 'apk add bubblewrap'],
  ] as const;
  const [, command] = known.find(([program]) => isInstalled(program, machine)) ?? [
    '',
    'install the package bubblewrap',
  ];
  return machine.isRoot ? command : `sudo ${command}`;
}

const INSTALL = ['install', '-qq', '-y', '--no-install-recommends', 'bubblewrap'];

/** @returns what it complained of. */
function aptGet(rest: readonly string[], machine: Machine): string | undefined {
  const env = { PATH: machine.path, DEBIAN_FRONTEND: 'noninteractive' };
  const ended = spawnSync('apt-get', rest, { env, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  return ended.status === 0 ? undefined : `apt-get ${rest[0]}: ${ended.stderr.trim()}`;
}

function isInstalled(program: string, machine: Machine): boolean {
  return machine.path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
