/** Somebody who does the same work in each round. `undefined`: not run, and `because` says why. */
export interface Contestant<T> {
  readonly name: string;
  readonly run: (() => Promise<T>) | undefined;
  readonly because?: string;
}

export type Rounds<T> = ReadonlyMap<string, readonly T[]>;

/**
 * Everybody once a round, each round beginning with another one: what the machine does meanwhile meets all of them
 * alike, and nobody always runs after the same neighbour.
 */
export async function runRounds<T>(
  contestants: readonly Contestant<T>[],
  rounds: number,
  onRound: (round: number, name: string) => void = () => {},
): Promise<Rounds<T>> {
  const results = new Map<string, T[]>(contestants.map((contestant) => [contestant.name, []]));
  for (let round = 0; round < rounds; round += 1) {
    const first = round % contestants.length;
    for (const contestant of [...contestants.slice(first), ...contestants.slice(0, first)]) {
      if (!contestant.run) continue;
      onRound(round, contestant.name);
      results.get(contestant.name)?.push(await contestant.run());
    }
  }
  return results;
}
