/** What one slot's processes are counted and limited in. */
export interface Cgroup {
  /** A process that writes its id into each of these is in. */
  readonly entrances: readonly string[];
  limit(limits: CgroupLimits): void;
  /** Counters since the cgroup was made; `memoryPeakBytes` since the last `forgetPeak`. */
  count(): CgroupCounts;
  forgetPeak(): void;
  /** Whether more processes live in it; one that ended and that nobody has waited for yet does not live. */
  holdsMoreThan(processes: number): boolean;
  cpuMs(): number;
  processes(): number[];
  /** Takes it away; false while something is still in it. */
  remove(): boolean;
}

export interface CgroupLimits {
  readonly memoryBytes: number;
  readonly pids: number;
  readonly cpuPercent: number | null;
}

export interface CgroupCounts {
  readonly oomKills: number;
  readonly pidRefusals: number;
  readonly memoryPeakBytes: number;
}

export interface Cgroups {
  readonly version: 1 | 2;
  make(slot: number): Cgroup;
  /** Takes away the folders of this agent's slots, its own of an earlier run included. */
  removeAll(): void;
}
