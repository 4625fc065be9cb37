import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Cgroup, CgroupCounts, CgroupLimits, Cgroups } from './cgroup.ts';
import { CounterFile } from './counter-file.ts';
import { processesIn, removeFolder, removeTree } from './remove-cgroup.ts';

/** Null where the unified hierarchy has no controllers to give, as in the hybrid layout. */
export function openCgroupV2(agent: string): Cgroups | null {
  const mount = unifiedMount();
  if (mount === null) return null;
  const folder = `${mount}/writ/${agent}`;
  try {
    removeTree(folder);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    for (const parent of [mount, `${mount}/writ`, folder])
      writeFileSync(`${parent}/cgroup.subtree_control`, '+memory +pids +cpu');
  } catch {
    removeTree(folder);
    return null;
  }
  return {
    version: 2,
    make: (slot) => new CgroupV2(`${folder}/${slot}`),
    removeAll: () => removeTree(folder),
  };
}

function unifiedMount(): string | null {
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n'))
    if (line.includes(' - cgroup2 ')) return line.split(' ')[4] ?? null;
  return null;
}

class CgroupV2 implements Cgroup {
  readonly entrances: readonly string[];
  readonly #folder: string;
  readonly #memoryEvents: CounterFile;
  readonly #pidEvents: CounterFile;
  readonly #pidsNow: CounterFile;
  readonly #cpu: CounterFile;
  readonly #peak: CounterFile | null;
  #limits: CgroupLimits = { memoryBytes: -1, pids: -1, cpuPercent: -1 };

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    this.#folder = folder;
    this.entrances = [`${folder}/cgroup.procs`];
    if (existsSync(`${folder}/memory.swap.max`)) writeFileSync(`${folder}/memory.swap.max`, '0');
    this.#memoryEvents = new CounterFile(`${folder}/memory.events`);
    this.#pidEvents = new CounterFile(`${folder}/pids.events`);
    this.#pidsNow = new CounterFile(`${folder}/pids.current`);
    this.#cpu = new CounterFile(`${folder}/cpu.stat`);
    this.#peak = existsSync(`${folder}/memory.peak`) ? new CounterFile(`${folder}/memory.peak`, 'r+') : null;
  }

  limit(limits: CgroupLimits): void {
    const had = this.#limits;
    if (limits.memoryBytes !== had.memoryBytes)
      writeFileSync(`${this.#folder}/memory.max`, String(limits.memoryBytes));
    if (limits.pids !== had.pids) writeFileSync(`${this.#folder}/pids.max`, String(limits.pids));
    if (limits.cpuPercent !== had.cpuPercent)
      writeFileSync(
        `${this.#folder}/cpu.max`,
        `${limits.cpuPercent === null ? 'max' : limits.cpuPercent * 1000} 100000`,
      );
    this.#limits = limits;
  }

  count(): CgroupCounts {
    return {
      oomKills: this.#memoryEvents.named('oom_kill'),
      pidRefusals: this.#pidEvents.named('max'),
      memoryPeakBytes: this.#peak?.number() ?? 0,
    };
  }

  /** Since Linux 6.12 a write starts the peak anew for this descriptor; before, it is the peak of the slot. */
  forgetPeak(): void {
    try {
      this.#peak?.write('reset');
    } catch {
      // An older kernel refuses the write.
    }
  }

  holdsMoreThan(processes: number): boolean {
    // The counter is cheap but has threads and the unwaited in it, so only its "no" is taken.
    return this.#pidsNow.number() > processes && this.processes().length > processes;
  }

  cpuMs(): number {
    return this.#cpu.named('usage_usec') / 1000;
  }

  processes(): number[] {
    return processesIn(this.#folder);
  }

  remove(): boolean {
    for (const file of [this.#memoryEvents, this.#pidEvents, this.#pidsNow, this.#cpu, this.#peak])
      file?.close();
    return removeFolder(this.#folder);
  }
}
