import type { Clock } from '../clock.ts';
import type { Dispatch } from '../dispatch.ts';
import type { KnownClasses } from './known-classes.ts';
import { excludedAt, freeSlots, hasRoom, isQueueing, mayHave, type Place } from './place.ts';
import type { WaitingWork } from './waiting-work.ts';

/** Agents hold more than they can have started. What they have not started is asked back where it is in the way. */
export interface CallingBack extends Pick<Dispatch, 'overtake' | 'callBack'> {
  /** An agent has nothing while another has work that it has not started. */
  watchStarving(): void;
  close(): void;
}

export interface CallingBackParts {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly classes: KnownClasses;
  readonly work: WaitingWork;
  readonly places: () => readonly Place[];
}

/** Tasks that end within this time need not be called back. */
const STARVING_MS = 30;

export function callWorkBackWith({ clock, signal, classes, work, places }: CallingBackParts): CallingBack {
  let stop: (() => void) | null = null;

  const isStarving = (place: Place): boolean =>
    place.asking === 0 && freeSlots(place) > 0 && !work.hasFor(place);

  const watchStarving = (): void => {
    if (stop || signal.aborted || !places().some(isQueueing) || !places().some(isStarving)) return;
    stop = clock.after(STARVING_MS, () => {
      stop = null;
      if (feedStarving() > 0) watchStarving();
    });
  };

  /** @returns for how many tasks it asked. */
  const feedStarving = (): number => {
    let asked = 0;
    for (const hungry of places().filter(isStarving)) {
      let wanted = freeSlots(hungry);
      const except = new Set(excludedAt(hungry, clock.monotonic()));
      for (const full of places()) {
        if (wanted <= 0) break;
        if (full === hungry || !isQueueing(full)) continue;
        // What the hungry one cannot take would come back to the full one, again and again.
        const fits = [...full.holding.keys()].filter(
          (id) => hungry.eligible.has(id) && hasRoom(hungry, classes.needsOf(id)),
        );
        const most = Math.min(wanted, full.held - full.slots);
        const got = full.taker.recall(new Set(fits), most, { except });
        wanted -= got;
        asked += got;
      }
    }
    return asked;
  };

  return {
    watchStarving,
    overtake({ class: id, priority, tasks }) {
      let wanted = tasks;
      for (const place of places()) {
        if (wanted <= 0) break;
        if (!place.eligible.has(id) || !mayHave(place)) continue;
        // A free slot takes it at once; else all that waits at an agent, because it would come behind.
        if (freeSlots(place) > 0 && hasRoom(place, classes.needsOf(id))) wanted -= freeSlots(place);
        else if (place.taker.recall(place.eligible, place.held, { below: priority }) > 0)
          wanted -= place.slots;
      }
    },
    callBack(fits) {
      for (const place of places()) {
        const ids = new Set([...place.eligible].filter((id) => fits(place.taker.identity, id)));
        if (ids.size > 0 && place.held > 0) place.taker.recall(ids, place.held);
      }
    },
    close: () => stop?.(),
  };
}
