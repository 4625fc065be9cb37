/** Somebody who does the same work in each round. `undefined`: not run, and `because` says why. */
export interface Contestant<T> {
  readonly name: string;
  readonly run: (() => Promise<T>) | undefined;
  readonly because?: string;
  /** Told why it failed, it is out: it has no results then. Otherwise its failure ends everything. */
  readonly onFailed?: (error: Error) => void;
}

/** How often and how much is measured, and who hears how far it is. */
export interface RoundsWish {
  readonly rounds: number;
  /** Of the usual amount of work. */
  readonly part: number;
  readonly say: (line: string) => void;
}

export type Rounds<T> = ReadonlyMap<string, readonly T[]>;

/**
 * Everybody once a round, each round beginning with another one: what the machine does meanwhile meets all of them
 * alike, and nobody always runs after the same neighbour.
 */
export async function runRounds<T>(
  contestants: readonly Contestant<T>[],
  rounds: number,
  say: (line: string) => void = () => {},
): Promise<Rounds<T>> {
  const results = new Map<string, T[]>(contestants.map((contestant) => [contestant.name, []]));
  const out = new Set<Contestant<T>>();
  for (let round = 0; round < rounds; round += 1) {
    const first = round % contestants.length;
    for (const contestant of [...contestants.slice(first), ...contestants.slice(0, first)]) {
      if (!contestant.run) continue;
      if (out.has(contestant)) continue;
      say(`round ${round + 1} of ${rounds}: ${contestant.name}`);
      try {
        results.get(contestant.name)?.push(await contestant.run());
      } catch (error) {
        if (!contestant.onFailed) throw error;
        contestant.onFailed(error as Error);
        out.add(contestant);
        results.set(contestant.name, []);
      }
    }
  }
  return results;
}
