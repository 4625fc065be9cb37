import type { Limits } from '@writ/contract';
import type { MachineFacts } from '@writ/trust';

/** What the jobs of this machine share: cores, memory, and what its owner counts. */
export interface Shares {
  /** @returns what gives it back, once; null: not free now. */
  reserve(limits: Pick<Limits, 'cpus' | 'memoryBytes' | 'counters'>): (() => void) | null;
}

export function openShares({
  cores,
  memoryBytes,
  counters,
}: Pick<MachineFacts, 'cores' | 'memoryBytes' | 'counters'>): Shares {
  const whole = new Map<string, number>([
    ['cpus', cores],
    ['memory', memoryBytes],
    ...counters.map(({ name, amount }) => [`counter ${name}`, amount] as const),
  ]);
  const free = new Map(whole);
  return {
    reserve(limits) {
      const asked: (readonly [string, number])[] = [
        ['cpus', limits.cpus ?? 0],
        ['memory', limits.memoryBytes],
        ...limits.counters.map(({ name, amount }) => [`counter ${name}`, amount] as const),
      ];
      // What it may have at most is also all that it can use: alone it always starts.
      const needs = asked.map(([name, amount]) => [name, Math.min(amount, whole.get(name) ?? 0)] as const);
      if (needs.some(([name, amount]) => amount > (free.get(name) ?? 0))) return null;
      const change = (by: 1 | -1): void => {
        for (const [name, amount] of needs) free.set(name, (free.get(name) ?? 0) + by * amount);
      };
      change(-1);
      let isBack = false;
      return () => {
        if (isBack) return;
        isBack = true;
        change(1);
      };
    },
  };
}
