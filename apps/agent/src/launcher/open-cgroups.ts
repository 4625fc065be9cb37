import { openCgroupV1 } from './cgroup-v1.ts';
import { openCgroupV2 } from './cgroup-v2.ts';
import type { Cgroups } from './cgroup.ts';

/** Null where this account may make none, or where the controllers are missing. Measured by making one. */
export function openCgroups(agent: string): Cgroups | null {
  return openCgroupV1(agent) ?? openCgroupV2(agent);
}
