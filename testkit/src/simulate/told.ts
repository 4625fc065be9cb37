/** What a process of the simulator is told to do. */
export interface Told {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  /** Place in the list of planted faults; it ends at the first seed that finds it. */
  readonly mutant: number | null;
  readonly isTraced: boolean;
  /** Loads what server and agent are composed of, too, and runs none of it. */
  readonly programs: boolean;
}

/** What came of it. */
export interface Total {
  readonly seeds: number;
  /** Seeds in which it really happened. */
  readonly lostLease: number;
  readonly lostAnswer: number;
  readonly starts: number;
  readonly stale: number;
  readonly overlaps: number;
  readonly kinds: Readonly<Record<string, number>>;
  readonly failures: readonly Failure[];
  readonly trace: readonly string[];
  /** Files of ours that were loaded, from the root of the repository. */
  readonly files: readonly string[];
}
interface Failure {
  readonly seed: number;
  readonly faults: readonly string[];
  readonly trace: readonly string[];
}

export function totalOf(totals: readonly Total[]): Total {
  const sum = (of: (total: Total) => number): number => totals.reduce((so, total) => so + of(total), 0);
  const kinds: Record<string, number> = {};
  for (const total of totals)
    for (const [kind, count] of Object.entries(total.kinds)) kinds[kind] = (kinds[kind] ?? 0) + count;
  return {
    seeds: sum((total) => total.seeds),
    lostLease: sum((total) => total.lostLease),
    lostAnswer: sum((total) => total.lostAnswer),
    starts: sum((total) => total.starts),
    stale: sum((total) => total.stale),
    overlaps: sum((total) => total.overlaps),
    kinds,
    failures: totals.flatMap((total) => total.failures),
    trace: totals.flatMap((total) => total.trace),
    files: totals[0]?.files ?? [],
  };
}
