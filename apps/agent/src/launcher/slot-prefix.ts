import type { Cgroup } from './cgroup.ts';
import type { Machine } from './measure-machine.ts';

/**
 * What a slot's loop is started through: into its cgroup, to die with the launcher, into namespaces whose first process
 * it is, and then as its own account for good.
 */
export function slotPrefix(machine: Machine, uid: number | null, cgroup: Cgroup | null): string[] {
  if (!machine.isLinux || machine.setpriv === null) return [];
  const dieWithParent = ['--pdeathsig', 'KILL'];
  if (uid === null) return [machine.setpriv, '--no-new-privs', ...dieWithParent];
  const drop = [
    machine.setpriv,
    `--reuid=${uid}`,
    `--regid=${uid}`,
    '--clear-groups',
    '--no-new-privs',
    '--inh-caps=-all',
    '--ambient-caps=-all',
    '--bounding-set=-all',
    ...dieWithParent,
  ];
  const apart = ownsPidNamespace(machine)
    ? [
        machine.setpriv,
        ...dieWithParent,
        machine.unshare ?? 'unshare',
        '--mount',
        '--propagation=slave',
        '--ipc',
        '--pid',
        '--fork',
        '--kill-child=KILL',
        '--mount-proc',
      ]
    : [];
  return [...enterCgroup(cgroup), ...apart, ...drop];
}

export function ownsPidNamespace(machine: Machine): boolean {
  return machine.hasOwnMounts && machine.unshare !== null && machine.setpriv !== null;
}

function enterCgroup(cgroup: Cgroup | null): string[] {
  if (cgroup === null) return [];
  const text = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 70; shift; done; shift; exec "$@"';
  return ['/bin/sh', '-c', text, 'writ-slot', ...cgroup.entrances, '--'];
}
