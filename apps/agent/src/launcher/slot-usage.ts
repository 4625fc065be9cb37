import type { Cgroup, CgroupCounts } from './cgroup.ts';
import type { EndReason, RunLimits } from './messages.ts';
import { descendantsOf } from './process-tree.ts';

export interface RunUsage {
  readonly cpuMs: number;
  readonly memoryPeakBytes: number;
  /** The limit that the kernel held it to, whatever its exit code says. */
  readonly over: 'memory_limit' | 'pid_limit' | null;
}

/** What the runs of one slot use of the machine: counted by the kernel in a cgroup, or else looked at now and then. */
export class SlotUsage {
  readonly #cgroup: Cgroup | null;
  /** At the end of the run before: nothing moves the counters between two runs but what the launcher does itself. */
  #counted: CgroupCounts | null = null;
  #countedCpuMs = 0;
  #sampledBytes = 0;
  #sampledCpuMs = 0;

  constructor(cgroup: Cgroup | null) {
    this.#cgroup = cgroup;
  }

  /** What was used up to now is no run's. */
  settle(): void {
    this.#counted = this.#cgroup?.count() ?? null;
    this.#countedCpuMs = this.#cgroup?.cpuMs() ?? 0;
  }

  /** @param overhead Processes that stand around the job and count. */
  begin(limits: RunLimits, overhead: number): void {
    this.#sampledBytes = this.#sampledCpuMs = 0;
    this.#cgroup?.limit({
      memoryBytes: limits.memoryBytes,
      pids: limits.pids + overhead,
      cpuPercent: limits.cpuPercent,
    });
    this.#cgroup?.forgetPeak();
  }

  /** The limit that the run below `root` is over. Looking at each process is for the `isThorough` only. */
  look(limits: RunLimits, root: number, isThorough: boolean): EndReason | null {
    if (this.#cgroup === null && isThorough) this.#sample(root);
    if (this.#sampledBytes > limits.memoryBytes) return 'memory_limit';
    if (limits.cpuMs === null) return null;
    const cpuMs = this.#cgroup === null ? this.#sampledCpuMs : this.#cgroup.cpuMs() - this.#countedCpuMs;
    return cpuMs > limits.cpuMs ? 'cpu_limit' : null;
  }

  /** To be asked before anything else runs in the slot. */
  end(): RunUsage {
    if (this.#cgroup === null)
      return { cpuMs: this.#sampledCpuMs, memoryPeakBytes: this.#sampledBytes, over: null };
    const before = this.#counted;
    const cpuBefore = this.#countedCpuMs;
    this.settle();
    const after = this.#counted;
    // A job that lost a process to a limit may end with 0 all the same.
    const grew = (name: 'oomKills' | 'pidRefusals'): boolean => (after?.[name] ?? 0) > (before?.[name] ?? 0);
    return {
      cpuMs: this.#countedCpuMs - cpuBefore,
      memoryPeakBytes: after?.memoryPeakBytes ?? 0,
      over: grew('oomKills') ? 'memory_limit' : grew('pidRefusals') ? 'pid_limit' : null,
    };
  }

  #sample(root: number): void {
    const below = descendantsOf(root);
    const sum = (of: 'residentBytes' | 'cpuMs'): number => below.reduce((all, each) => all + each[of], 0);
    this.#sampledBytes = Math.max(this.#sampledBytes, sum('residentBytes'));
    this.#sampledCpuMs = Math.max(this.#sampledCpuMs, sum('cpuMs'));
  }
}
