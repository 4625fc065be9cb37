import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Cgroup, CgroupCounts, CgroupLimits, Cgroups } from './cgroup.ts';
import { CounterFile } from './counter-file.ts';
import { processesIn, removeFolder, removeTree } from './remove-cgroup.ts';

const controllers = ['memory', 'pids', 'cpu', 'cpuacct', 'freezer'] as const;
type Controller = (typeof controllers)[number];

export function openCgroupV1(agent: string): Cgroups | null {
  const mounts = mountPoints();
  const folders = {} as Record<Controller, string>;
  for (const controller of controllers) {
    const mount = mounts.get(controller);
    if (mount === undefined) return null;
    folders[controller] = `${mount}/writ/${agent}`;
  }
  const all = [...new Set(Object.values(folders))];
  try {
    for (const folder of all) {
      removeTree(folder);
      mkdirSync(folder, { recursive: true, mode: 0o755 });
    }
  } catch {
    return null;
  }
  return {
    version: 1,
    make: (slot) => new CgroupV1(folders, slot),
    removeAll: () => all.forEach((folder) => removeTree(folder)),
  };
}

function mountPoints(): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [before, after] = line.split(' - ');
    const [type, , options] = after?.split(' ') ?? [];
    const mount = before?.split(' ')[4];
    if (type !== 'cgroup' || mount === undefined) continue;
    for (const option of options?.split(',') ?? []) if (!found.has(option)) found.set(option, mount);
  }
  return found;
}

class CgroupV1 implements Cgroup {
  readonly entrances: readonly string[];
  readonly #folders: Record<Controller, string>;
  readonly #peak: CounterFile;
  readonly #oom: CounterFile;
  readonly #pidEvents: CounterFile;
  readonly #pidsNow: CounterFile;
  readonly #usage: CounterFile;
  #limits: CgroupLimits = { memoryBytes: -1, pids: -1, cpuPercent: -1 };

  constructor(folders: Record<Controller, string>, slot: number) {
    const own = {} as Record<Controller, string>;
    for (const controller of controllers) {
      own[controller] = `${folders[controller]}/${slot}`;
      mkdirSync(own[controller], { recursive: true, mode: 0o755 });
    }
    this.#folders = own;
    this.entrances = [...new Set(Object.values(own))].map((folder) => `${folder}/cgroup.procs`);
    writeFileSync(`${own.memory}/memory.swappiness`, '0');
    this.#peak = new CounterFile(`${own.memory}/memory.max_usage_in_bytes`, 'r+');
    this.#oom = new CounterFile(`${own.memory}/memory.oom_control`);
    this.#pidEvents = new CounterFile(`${own.pids}/pids.events`);
    this.#pidsNow = new CounterFile(`${own.pids}/pids.current`);
    this.#usage = new CounterFile(`${own.cpuacct}/cpuacct.usage`);
  }

  limit(limits: CgroupLimits): void {
    const had = this.#limits;
    if (limits.memoryBytes !== had.memoryBytes) this.#limitMemory(limits.memoryBytes);
    if (limits.pids !== had.pids) writeFileSync(`${this.#folders.pids}/pids.max`, String(limits.pids));
    if (limits.cpuPercent !== had.cpuPercent) {
      const quota = limits.cpuPercent === null ? -1 : limits.cpuPercent * 1000;
      writeFileSync(`${this.#folders.cpu}/cpu.cfs_quota_us`, String(quota));
    }
    this.#limits = limits;
  }

  /** Memory and swap together may not be less than memory alone, so the order depends on the direction. */
  #limitMemory(bytes: number): void {
    const memory = `${this.#folders.memory}/memory.limit_in_bytes`;
    const withSwap = `${this.#folders.memory}/memory.memsw.limit_in_bytes`;
    const raise = bytes > this.#limits.memoryBytes && this.#limits.memoryBytes !== -1;
    for (const file of raise ? [withSwap, memory] : [memory, withSwap]) {
      try {
        writeFileSync(file, String(bytes));
      } catch (error) {
        // A kernel without swap accounting has no such file, and then swappiness 0 is what there is.
        if (file === memory || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
  }

  count(): CgroupCounts {
    return {
      oomKills: this.#oom.named('oom_kill'),
      pidRefusals: this.#pidEvents.named('max'),
      memoryPeakBytes: this.#peak.number(),
    };
  }

  forgetPeak(): void {
    this.#peak.write('0');
  }

  holdsMoreThan(processes: number): boolean {
    // The counter is cheap but has threads and the unwaited in it, so only its "no" is taken.
    return this.#pidsNow.number() > processes && this.processes().length > processes;
  }

  cpuMs(): number {
    return this.#usage.number() / 1e6;
  }

  processes(): number[] {
    return processesIn(this.#folders.pids);
  }

  remove(): boolean {
    for (const file of [this.#peak, this.#oom, this.#pidEvents, this.#pidsNow, this.#usage]) file.close();
    return Object.values(this.#folders).every((folder) => removeFolder(folder));
  }
}
