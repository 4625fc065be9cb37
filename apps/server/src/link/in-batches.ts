/**
 * One after the other, and what came meanwhile together: who is slow must not fall behind further with each message.
 *
 * @returns adds some; resolves when these are done. After one that fails, all that come fail like it.
 */
export function inBatches<T>(
  most: number,
  deal: (batch: readonly T[]) => Promise<void>,
): (some: readonly T[]) => Promise<void> {
  let waiting: T[] = [];
  let last: Promise<void> = Promise.resolve();
  return (some) => {
    waiting = waiting.concat(some);
    last = last.then(async () => {
      const batch = waiting.slice(0, most);
      waiting = waiting.slice(most);
      if (batch.length > 0) await deal(batch);
    });
    return last;
  };
}
