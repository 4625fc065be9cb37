export interface BatchSizes {
  readonly first: number;
  readonly most: number;
}

/**
 * One after the other, and what came meanwhile together: who is slow must not fall behind further with each message. The
 * first batch is small and each next one may be twice as large: who never comes to the end of a large one gets on all the
 * same.
 *
 * @returns adds some; resolves when these are done. After one that fails, all that come fail like it.
 */
export function inBatches<T>(
  { first, most }: BatchSizes,
  deal: (batch: readonly T[]) => Promise<void>,
): (some: readonly T[]) => Promise<void> {
  let waiting: T[] = [];
  let last: Promise<void> = Promise.resolve();
  let size = first;
  let added = 0;
  let dealt = 0;
  const dealUpTo = async (upTo: number): Promise<void> => {
    while (dealt < upTo) {
      const batch = waiting.slice(0, size);
      waiting = waiting.slice(size);
      dealt += batch.length;
      await deal(batch);
      size = Math.min(most, size * 2);
    }
  };
  return (some) => {
    waiting = waiting.concat(some);
    const upTo = (added += some.length);
    last = last.then(async () => await dealUpTo(upTo));
    return last;
  };
}
