import { BOUNDS } from '@writ/contract';
import type { Store } from '@writ/store';
import type { MachineFacts } from '@writ/trust';
import type { Clock } from '../clock.ts';
import type { Dispatch, Taker } from '../dispatch.ts';
import type { Log } from '../log.ts';
import { classText, isEligible, parseClass, type RequirementClass } from './requirement-class.ts';

interface Place {
  readonly taker: Taker;
  facts: MachineFacts | null;
  slots: number;
  megaflops: number;
  credits: number;
  held: number;
  isSilent: boolean;
  /** Claims under way. */
  asking: number;
  readonly eligible: Set<number>;
  readonly excluded: Set<string>;
}

/** How many agents are asked for at once: idle agents by the thousand must not each cost a claim for one task. */
const WAVE = 16;
const MOST_PER_CLAIM = 500;
const MOST_EXCLUDED = 1_000;
/** Tasks that end within this time need not be called back. */
const STARVING_MS = 30;
const LOOK_MS = 1_000;

export async function openDispatch(parts: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly leaseSeconds: number;
}): Promise<Dispatch> {
  const { store, clock, log, leaseSeconds } = parts;
  const classes = new Map<number, RequirementClass>();
  const ids = new Map<string, number>();
  /** Classes that may have work, and when that was last said. */
  const hot = new Map<number, number>();
  /** Sorted: fastest first. */
  let places: Place[] = [];
  let said = 0;
  let isClosed = false;
  let stopStarving: (() => void) | null = null;
  let stopLooking: (() => void) | null = null;

  const addClass = (id: number, text: string): void => {
    const asked = parseClass(text);
    classes.set(id, asked);
    ids.set(text, id);
    for (const place of places) if (place.facts && isEligible(asked, place.facts)) place.eligible.add(id);
  };
  for (const { id, class: text } of await store.jobs.listClasses()) addClass(id, text);

  const addWork = (id: number): void => void hot.set(id, (said += 1));
  const hotOf = (place: Place): number[] => [...hot.keys()].filter((id) => place.eligible.has(id));
  const mayHave = (place: Place): boolean => !place.isSilent && !place.taker.isFull();
  const freeSlots = (place: Place): number =>
    mayHave(place) ? Math.min(place.credits, place.slots - place.held) : 0;

  const claim = (place: Place, wanted: number): void => {
    const asked = hotOf(place);
    const max = Math.min(wanted, MOST_PER_CLAIM);
    const before = said;
    place.credits -= max;
    place.held += max;
    place.asking += 1;
    const by = { actor: 'server', source: 'dispatch', now: clock.now() };
    const asking = {
      identity: place.taker.identity,
      classes: asked,
      max,
      leaseSeconds,
      excluded: [...place.excluded],
      by,
    };
    store.leases
      .claim(asking)
      .then((jobs) => {
        const got = jobs.reduce((sum, job) => sum + job.tasks.length, 0);
        place.asking -= 1;
        place.credits += max - got;
        place.held -= max - got;
        if (got > 0) place.taker.take(jobs);
        // Short: these classes are empty, unless work came since or jobs were left out.
        if (got < max && place.excluded.size === 0) {
          for (const id of asked) if ((hot.get(id) ?? 0) <= before) hot.delete(id);
        }
        if (got === max) serve();
        else if (hot.size > 0 && got > 0) serve();
        watchStarving();
      })
      .catch((error: unknown) => {
        place.asking -= 1;
        place.credits += max;
        place.held -= max;
        log('error', 'dispatch.claim_failed', { error });
      });
  };

  function serve(): void {
    if (isClosed || hot.size === 0) return;
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

  const isAlone = (place: Place): boolean => {
    const asked = hotOf(place);
    return places.every((other) => other === place || !asked.some((id) => other.eligible.has(id)));
  };

  /** The fastest that fit and may have work. Idle agents behind them are not looked at. */
  function firstPlaces(fits: (place: Place) => boolean): Place[] {
    const found: Place[] = [];
    for (const place of places) {
      if (found.length === WAVE) break;
      if (place.asking === 0 && fits(place) && hotOf(place).length > 0) found.push(place);
    }
    return found;
  }

  const isStarving = (place: Place): boolean =>
    place.asking === 0 && freeSlots(place) > 0 && hotOf(place).length === 0;
  const isQueueing = (place: Place): boolean => place.held > place.slots;

  /** An agent has nothing while another has work that it has not started. */
  function watchStarving(): void {
    if (stopStarving || isClosed || !places.some(isQueueing) || !places.some(isStarving)) return;
    stopStarving = clock.after(STARVING_MS, () => {
      stopStarving = null;
      let asked = 0;
      for (const hungry of places.filter(isStarving)) {
        let wanted = freeSlots(hungry);
        for (const full of places) {
          if (wanted <= 0) break;
          if (full === hungry || !isQueueing(full)) continue;
          const got = full.taker.recall(hungry.eligible, Math.min(wanted, full.held - full.slots));
          wanted -= got;
          asked += got;
        }
      }
      if (asked > 0) watchStarving();
    });
  }

  const lookAgain = async (): Promise<void> => {
    for (const id of await store.jobs.classesWithWork(clock.now())) {
      if (!classes.has(id))
        for (const { id: other, class: text } of await store.jobs.listClasses())
          if (!classes.has(other)) addClass(other, text);
      addWork(id);
    }
    serve();
    watchStarving();
  };

  /** Behind everything that is told: orders whose time comes, and whatever was not told. */
  const keepLooking = (): void => {
    if (isClosed) return;
    stopLooking = clock.after(LOOK_MS, () => {
      lookAgain()
        .catch((error: unknown) => log('error', 'dispatch.look_failed', { error }))
        .finally(keepLooking);
    });
  };
  keepLooking();

  return {
    classOfOrder: (order) => ids.get(classText(order)),
    async classOf(order) {
      const text = classText(order);
      const known = ids.get(text);
      if (known !== undefined) return known;
      const id = await store.jobs.classId(text);
      if (!classes.has(id)) addClass(id, text);
      return id;
    },
    addWork,
    lookAgain,
    serve,

    sit(taker) {
      const place: Place = {
        taker,
        facts: null,
        slots: 0,
        megaflops: 0,
        credits: 0,
        held: 0,
        isSilent: false,
        asking: 0,
        eligible: new Set(),
        excluded: new Set(),
      };
      places.push(place);
      return {
        describe(facts, slots, megaflops) {
          Object.assign(place, { facts, slots, megaflops });
          place.eligible.clear();
          for (const [id, asked] of classes) if (isEligible(asked, facts)) place.eligible.add(id);
          places = places.toSorted((one, other) => other.megaflops - one.megaflops);
        },
        giveCredits(more) {
          const most = Math.max(0, BOUNDS.heldTasks - place.held);
          place.credits = Math.min(place.credits + more, BOUNDS.credits, most);
        },
        hold(tasks) {
          place.held += tasks;
        },
        letGo(tasks) {
          place.held = Math.max(0, place.held - tasks);
          watchStarving();
        },
        exclude(job) {
          if (place.excluded.size >= MOST_EXCLUDED) place.excluded.clear();
          place.excluded.add(job);
        },
        fallSilent() {
          place.isSilent = true;
        },
        isHeard() {
          if (!place.isSilent) return;
          place.isSilent = false;
          serve();
        },
        leave() {
          place.credits = 0;
          places = places.filter((other) => other !== place);
        },
      };
    },

    whyWaiting(classId, notBefore) {
      if (notBefore !== null && notBefore > clock.now()) return 'not_before';
      return places.some((place) => place.eligible.has(classId)) ? 'busy' : 'no_agent';
    },

    close() {
      isClosed = true;
      stopStarving?.();
      stopLooking?.();
    },
  };
}
