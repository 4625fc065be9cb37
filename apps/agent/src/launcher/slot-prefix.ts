import type { Cgroup } from './cgroup.ts';
import { callersNamespaces, loopNamespaces } from './measure-machine.ts';
import type { Machine } from './measure-machine.ts';

/**
 * What a slot's loop is started through: into its cgroup, to die with the launcher, into namespaces whose first process
 * it is, and then as its own account for good.
 */
export function slotPrefix(machine: Machine, uid: number | null, cgroup: Cgroup | null): string[] {
  const { setpriv, unshare } = machine;
  if (setpriv === null) return [];
  const dieWithParent = ['--pdeathsig', 'KILL'];
  const namespaces = uid === null ? [...callersNamespaces, ...loopNamespaces] : loopNamespaces;
  const apart =
    machine.hasOwnProcesses && unshare !== null ? [setpriv, ...dieWithParent, unshare, ...namespaces] : [];
  const account =
    uid === null ? [] : [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--bounding-set=-all'];
  const drop = [
    setpriv,
    ...account,
    '--no-new-privs',
    '--inh-caps=-all',
    '--ambient-caps=-all',
    ...dieWithParent,
  ];
  return [...enterCgroup(cgroup), ...apart, ...drop];
}

function enterCgroup(cgroup: Cgroup | null): string[] {
  if (cgroup === null) return [];
  const text = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 70; shift; done; shift; exec "$@"';
  return ['/bin/sh', '-c', text, 'writ-slot', ...cgroup.entrances, '--'];
}
