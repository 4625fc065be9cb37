import { BOUNDS } from '@writ/contract';
import type { MachineFacts } from '@writ/trust';
import type { Taker } from '../dispatch.ts';
import type { Capacity } from './capacity.ts';
import type { Needs } from './requirement-class.ts';

/** What the dispatch knows of a connected agent: what it is fit for, what it holds, what it can take. */
export interface Place {
  readonly taker: Taker;
  facts: MachineFacts | null;
  capacity: Capacity | null;
  /** How many tasks of each class it holds. */
  readonly holding: Map<number, number>;
  slots: number;
  megaflops: number;
  credits: number;
  held: number;
  isSilent: boolean;
  /** It finishes what it has begun, and gets nothing new. */
  isDrained: boolean;
  /** Claims under way. */
  asking: number;
  readonly eligible: Set<number>;
  /** Until when, by the monotonic clock. */
  readonly excluded: Map<string, number>;
  /** Classes that have work, but none for it: what had been said when it asked. Newer work it is asked for again. */
  readonly passed: Map<number, number>;
}

const MOST_EXCLUDED = 1_000;

export const makePlace = (taker: Taker, isDrained: boolean): Place => ({
  taker,
  facts: null,
  capacity: null,
  holding: new Map(),
  slots: 0,
  megaflops: 0,
  credits: 0,
  held: 0,
  isSilent: false,
  isDrained,
  asking: 0,
  eligible: new Set(),
  excluded: new Map(),
  passed: new Map(),
});

export const mayHave = (place: Place): boolean =>
  !place.isSilent && !place.isDrained && !place.taker.isFull();

export const freeSlots = (place: Place): number =>
  mayHave(place) ? Math.min(place.credits, place.slots - place.held) : 0;

/** It holds more than it can have started. */
export const isQueueing = (place: Place): boolean => place.held > place.slots;

export const hasRoom = (place: Place, needs: Needs): boolean => place.capacity?.hasRoom(needs) ?? true;

export function giveCredits(place: Place, more: number): void {
  const most = Math.max(0, BOUNDS.heldTasks - place.held);
  place.credits = Math.min(place.credits + more, BOUNDS.credits, most);
}

/** @param tasks fewer than 0: it holds them no more. */
export function count(place: Place, id: number, needs: Needs, tasks: number): void {
  const before = place.holding.get(id) ?? 0;
  const now = Math.max(0, before + tasks);
  if (now === 0) place.holding.delete(id);
  else place.holding.set(id, now);
  place.capacity?.take(needs, now - before);
}

export function exclude({ excluded }: Place, job: string, until: number): void {
  if (excluded.size >= MOST_EXCLUDED) excluded.clear();
  excluded.set(job, until);
}

/** The jobs that it is not to get now. */
export function excludedAt({ excluded }: Place, now: number): string[] {
  for (const [job, until] of excluded) if (until <= now) excluded.delete(job);
  return [...excluded.keys()];
}
