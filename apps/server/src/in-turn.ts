/** One after the other for one key. */
export type InTurn = <T>(key: string, act: () => Promise<T>) => Promise<T>;

export function openTurns(): InTurn {
  const turns = new Map<string, Promise<unknown>>();
  return async (key, act) => {
    const mine = (turns.get(key) ?? Promise.resolve()).then(act);
    // Whoever asked hears how it went; who comes next only waits.
    const settled = mine.catch(() => {});
    turns.set(key, settled);
    try {
      return await mine;
    } finally {
      if (turns.get(key) === settled) turns.delete(key);
    }
  };
}
