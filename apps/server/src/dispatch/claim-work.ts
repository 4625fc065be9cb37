import type { ClaimAsked, QueueLimit, Store } from '@writ/store';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { KnownClasses } from './known-classes.ts';
import { count, excludedAt, freeSlots, isQueueing, mayHave, type Place } from './place.ts';
import type { WaitingWork } from './waiting-work.ts';

export interface ClaimParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly leaseSeconds: number;
  readonly signal: AbortSignal;
  readonly classes: KnownClasses;
  readonly work: WaitingWork;
  /** Fastest first. */
  readonly places: () => readonly Place[];
  /** After each claim. */
  readonly onClaimed: () => void;
}

/** How many agents are asked for at once: idle agents by the thousand must not each cost a claim for one task. */
export const WAVE = 16;
const MOST_PER_CLAIM = 500;

/** @returns what hands out what can be handed out. Each claim is one transaction of the store, and asks for one agent. */
export function claimWorkWith(parts: ClaimParts): () => void {
  const { store, clock, log, leaseSeconds, signal, classes, work, places, onClaimed } = parts;
  let underWay = 0;
  return serve;

  function serve(): void {
    if (signal.aborted || work.isEmpty()) return;
    // Who has a free slot comes before who would only queue, so that an array is spread first.
    const free = firstPlaces((place) => freeSlots(place) > 0);
    for (const place of free) {
      // Where nobody else could take it, an agent may take its whole window at once.
      claim(place, isAlone(place) ? place.credits : freeSlots(place));
    }
    if (free.length > 0) return;
    const queueing = firstPlaces((place) => mayHave(place) && place.credits > 0);
    for (const place of queueing) claim(place, place.credits);
  }

  /** The fastest that fit and may have work. Idle agents behind them are not looked at. */
  function firstPlaces(fits: (place: Place) => boolean): Place[] {
    const found: Place[] = [];
    for (const place of places()) {
      if (found.length === WAVE) break;
      if (place.asking === 0 && fits(place) && work.hasFor(place)) found.push(place);
    }
    return found;
  }

  function isAlone(place: Place): boolean {
    const asked = work.allFor(place);
    return places().every((other) => other === place || !asked.some((id) => other.eligible.has(id)));
  }

  function claim(place: Place, wanted: number): void {
    const asked = work.nextFor(place);
    const max = Math.min(wanted, MOST_PER_CLAIM);
    const before = work.said();
    const since = clock.monotonic();
    const excluded = excludedAt(place, since);
    begin(place, max);
    store.leases
      .claim({
        identity: place.taker.identity,
        classes: asked,
        max,
        leaseSeconds,
        excluded,
        limits: limitsOf(asked),
        ...capacityOf(place, asked),
        by: { actor: 'server', source: 'dispatch', now: clock.now() },
      })
      .then(
        ({ jobs, limited, more }) => {
          const got = jobs.reduce((sum, job) => sum + job.tasks.length, 0);
          end(place, max, got);
          for (const job of jobs) count(place, job.class, classes.needsOf(job.class), job.tasks.length);
          if (got > 0) {
            // What is there already would start first.
            const highest = Math.max(...jobs.map((job) => job.priority));
            if (isQueueing(place)) place.taker.recall(place.eligible, place.held, { below: highest });
            place.taker.take(jobs, since);
          }
          if (got < max) {
            const wasExcluded = excluded.length > 0;
            work.cameShort(place, { asked, before, gotSome: got > 0, wasExcluded, limited, more });
          }
          // Who got nothing is done: the next are asked, who may have what it could not take.
          if (got > 0 || underWay === 0) serve();
          onClaimed();
        },
        (error: unknown) => {
          end(place, max, 0);
          throw error;
        },
      )
      .catch((error: unknown) => log('error', 'dispatch.claim_failed', { error }));
  }

  /** What is asked for counts as held until the answer is there. */
  function begin(place: Place, max: number): void {
    place.credits -= max;
    place.held += max;
    place.asking += 1;
    underWay += 1;
  }

  function end(place: Place, max: number, got: number): void {
    place.asking -= 1;
    underWay -= 1;
    place.credits += max - got;
    place.held -= max - got;
  }

  function limitsOf(asked: readonly number[]): QueueLimit[] {
    return [...Map.groupBy(asked, (id) => work.queueOf(id))].flatMap(([queue, ids]) =>
      queue?.maxRunning == null ? [] : [{ queue: queue.name, classes: ids, most: queue.maxRunning }],
    );
  }

  function capacityOf(place: Place, asked: readonly number[]): Pick<ClaimAsked, 'capacity'> {
    const capacity = place.capacity?.offer(new Map(asked.map((id) => [id, classes.needsOf(id)])));
    return capacity ? { capacity } : {};
  }
}
