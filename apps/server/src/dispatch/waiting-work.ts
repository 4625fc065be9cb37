import type { QueueRecord } from '@writ/store';
import type { KnownClasses } from './known-classes.ts';
import { hasRoom, type Place } from './place.ts';
import type { Settings } from './settings.ts';

/** Which classes may have work, and which of them an agent may ask for. */
export interface WaitingWork {
  /** One that is known to others only is found by the next look. */
  add(id: number): void;
  has(id: number): boolean;
  isEmpty(): boolean;
  /** How often work was said to be there: what is added later gets a higher number. */
  said(): number;
  queueOf(id: number): QueueRecord | undefined;

  hasFor(place: Place): boolean;
  allFor(place: Place): number[];
  /** Not more than one claim may ask for: those that have waited longest for it. */
  nextFor(place: Place): number[];

  /** A claim got less than it asked for: these classes are empty, kept back, or have nothing for that agent. */
  cameShort(place: Place, claim: ShortClaim): void;
  isLimited(id: number): boolean;
  /** A task has ended: what a limit of its queue kept back may go on. */
  endLimits(): void;
  /** What was said before the oldest class that it passed; infinite for who passed none. */
  passedSince(place: Place): number;
  forget(id: number): void;
}

export interface ShortClaim {
  readonly asked: readonly number[];
  /** What had been said when it asked. */
  readonly before: number;
  readonly gotSome: boolean;
  /** Jobs that it was not to get: these may be what is left. */
  readonly wasExcluded: boolean;
  readonly limited: readonly number[];
  readonly more: readonly number[];
}

/** Each costs a claim a question to the store. */
const MOST_CLASSES = 64;

export function openWaitingWork(classes: KnownClasses, settings: Settings): WaitingWork {
  /** Classes that may have work, and when that was last said. */
  const hot = new Map<number, number>();
  let said = 0;
  /** In which claim a class was asked for last, once there are too many for one. */
  const askedIn = new Map<number, number>();
  let claimed = 0;
  /** Classes that a limit of their queue keeps back, until one of its tasks ends. */
  const limited = new Set<number>();

  const add = (id: number): void => {
    if (classes.find(id)) hot.set(id, (said += 1));
  };
  const queueOf = (id: number): QueueRecord | undefined => settings.queue(classes.find(id)?.queue ?? '');
  const mayAsk = (place: Place, id: number): boolean =>
    place.eligible.has(id) &&
    queueOf(id)?.isPaused !== true &&
    (place.passed.get(id) ?? 0) < (hot.get(id) ?? 0) &&
    hasRoom(place, classes.needsOf(id));
  const allFor = (place: Place): number[] => [...hot.keys()].filter((id) => mayAsk(place, id));

  return {
    add,
    has: (id) => hot.has(id),
    isEmpty: () => hot.size === 0,
    said: () => said,
    queueOf,

    hasFor(place) {
      for (const id of hot.keys()) if (mayAsk(place, id)) return true;
      return false;
    },
    allFor,
    nextFor(place) {
      const all = allFor(place);
      if (all.length <= MOST_CLASSES) return all;
      const next = all
        .toSorted((one, other) => (askedIn.get(one) ?? 0) - (askedIn.get(other) ?? 0))
        .slice(0, MOST_CLASSES);
      claimed += 1;
      for (const id of next) askedIn.set(id, claimed);
      return next;
    },

    cameShort(place, { asked, before, gotSome, wasExcluded, limited: keptBack, more: left }) {
      const limits = new Set(keptBack);
      const more = new Set(left);
      const isForOthers = (id: number): boolean => (!gotSome && more.has(id)) || wasExcluded;
      // These classes are empty, unless work came since or was left.
      for (const id of asked.filter((asks) => (hot.get(asks) ?? 0) <= before)) {
        if (limits.has(id)) limited.add(id);
        else if (gotSome && more.has(id)) continue;
        else if (isForOthers(id)) {
          place.passed.set(id, before);
          continue;
        }
        hot.delete(id);
      }
    },
    isLimited: (id) => limited.has(id),
    endLimits() {
      for (const id of limited) add(id);
      limited.clear();
    },
    passedSince({ passed }) {
      for (const id of passed.keys()) if (!hot.has(id)) passed.delete(id);
      return Math.min(...passed.values());
    },
    forget(id) {
      for (const known of [hot, askedIn, limited]) known.delete(id);
    },
  };
}
