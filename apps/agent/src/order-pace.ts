/** How long tasks of an order take here: short ones may wait in the launcher, one behind another. */
export interface OrderPace {
  /** One has ended. @returns how many milliseconds those of its order take. */
  ended(order: string, wallMs: number): number;
  /** False while none of it has ended here. */
  isQuick(order: string): boolean;
}

const QUICK_MS = 100;
const MOST_ORDERS = 10_000;
/** How much the newest counts. */
const WEIGHT = 0.2;

export function openOrderPace(): OrderPace {
  const pace = new Map<string, number>();
  return {
    ended(order, wallMs) {
      const before = pace.get(order);
      if (before === undefined && pace.size >= MOST_ORDERS) pace.clear();
      const now = before === undefined ? wallMs : before * (1 - WEIGHT) + wallMs * WEIGHT;
      pace.set(order, now);
      return now;
    },
    isQuick: (order) => (pace.get(order) ?? Number.POSITIVE_INFINITY) < QUICK_MS,
  };
}
