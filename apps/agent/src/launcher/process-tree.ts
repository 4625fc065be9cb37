import { readFileSync, readdirSync } from 'node:fs';

export interface ProcessSeen {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly residentBytes: number;
  /** Its own and that of its children that it has waited for. */
  readonly cpuMs: number;
}

/** All that descend from a process, nearest first. */
export function descendantsOf(root: number): ProcessSeen[] {
  const children = new Map<number, ProcessSeen[]>();
  for (const seen of allProcesses()) {
    const siblings = children.get(seen.parent);
    if (siblings === undefined) children.set(seen.parent, [seen]);
    else siblings.push(seen);
  }
  const found: ProcessSeen[] = [];
  const next = [root];
  for (let pid = next.shift(); pid !== undefined; pid = next.shift())
    for (const child of children.get(pid) ?? []) {
      found.push(child);
      next.push(child.pid);
    }
  return found;
}

/** Whether a process lives; one that ended and that nobody has waited for yet does not. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !'ZX'.includes(stat.charAt(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** Whether a process has a child that lives. */
export function hasLivingChild(pid: number): boolean {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
    return children !== '' && children.split(' ').some((child) => isAlive(Number(child)));
  } catch {
    return allProcesses().some((seen) => seen.parent === pid && isAlive(seen.pid));
  }
}

/** Those of a process group, the leader included. */
export function inGroupOf(leader: number): number[] {
  return allProcesses().flatMap((seen) => (seen.group === leader && isAlive(seen.pid) ? [seen.pid] : []));
}

function allProcesses(): ProcessSeen[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').flatMap((name) => {
    const seen = /^\d+$/.test(name) ? look(Number(name)) : null;
    return seen === null ? [] : [seen];
  });
}

function look(pid: number): ProcessSeen | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const ticks = fields.slice(11, 15).reduce((sum, each) => sum + each, 0);
    return {
      pid,
      parent: fields[1] ?? 0,
      group: fields[2] ?? 0,
      residentBytes: (fields[21] ?? 0) * 4096,
      cpuMs: ticks * 10,
    };
  } catch {
    return null;
  }
}
