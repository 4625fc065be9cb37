import { BOUNDS } from '@writ/contract';
import type { ClaimAsked, QueueLimit, QueueRecord, Store } from '@writ/store';
import type { MachineFacts } from '@writ/trust';
import type { Clock } from '../clock.ts';
import type { Dispatch, Taker } from '../dispatch.ts';
import type { Log } from '../log.ts';
import { type Capacity, openCapacity } from './capacity.ts';
import { classText, isEligible, type Needs, parseClass, type RequirementClass } from './requirement-class.ts';

interface Place {
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

/** How many agents are asked for at once: idle agents by the thousand must not each cost a claim for one task. */
const WAVE = 16;
const MOST_PER_CLAIM = 500;
/** Each costs a claim a question to the store. */
const MOST_CLASSES = 64;
/** Between what asks for a class and its submission there is less time. */
const FORGET_MS = 600_000;
const MOST_FORGOTTEN = 500;
const MOST_EXCLUDED = 1_000;
/** Tasks that end within this time need not be called back. */
const STARVING_MS = 30;
const LOOK_MS = 1_000;
const NO_NEEDS: Needs = { cpus: null, memoryBytes: 0, counters: [] };

export async function openDispatch(parts: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly leaseSeconds: number;
}): Promise<Dispatch> {
  const { store, clock, log, leaseSeconds } = parts;
  const classes = new Map<number, RequirementClass>();
  const ids = new Map<string, number>();
  /** When a submission asked for a class last. */
  const usedAt = new Map<number, number>();
  /** Until the store has answered, nobody may submit for these. */
  let forgetting: { readonly ids: ReadonlySet<number>; readonly done: Promise<void> } | null = null;
  /** Classes that may have work, and when that was last said. */
  const hot = new Map<number, number>();
  /** In which claim a class was asked for last, once there are too many for one. */
  const askedIn = new Map<number, number>();
  let claimed = 0;
  /** Sorted: fastest first. */
  let places: Place[] = [];
  let said = 0;
  /** Claims under way. */
  let claims = 0;
  let isClosed = false;
  let stopStarving: (() => void) | null = null;
  let stopLooking: (() => void) | null = null;

  /** Queues that somebody has set, as the store has them. */
  let queues = new Map<string, QueueRecord>();
  let drained = new Set<string>();
  /** Classes that a limit of their queue keeps back, until one of its tasks ends. */
  const limited = new Set<number>();

  const readSettings = async (): Promise<void> => {
    queues = new Map((await store.queues.listQueues()).map((queue) => [queue.name, queue]));
    drained = new Set(await store.trust.listDrained());
    for (const place of places) place.isDrained = drained.has(place.taker.identity);
  };

  const addClass = (id: number, text: string): void => {
    const asked = parseClass(text);
    classes.set(id, asked);
    ids.set(text, id);
    usedAt.set(id, clock.monotonic());
    for (const place of places) if (place.facts && isEligible(asked, place.facts)) place.eligible.add(id);
  };
  for (const { id, class: text } of await store.jobs.listClasses()) addClass(id, text);
  await readSettings();

  /** A class that is known to others only is found by the next look. */
  const addWork = (id: number): void => {
    if (classes.has(id)) hot.set(id, (said += 1));
  };
  const knownId = (text: string): number | undefined => {
    const id = ids.get(text);
    if (id === undefined || forgetting?.ids.has(id)) return undefined;
    usedAt.set(id, clock.monotonic());
    return id;
  };
  const queueOf = (id: number): QueueRecord | undefined => queues.get(classes.get(id)?.queue ?? '');
  const hasRoom = (place: Place, id: number): boolean => place.capacity?.hasRoom(needsOf(id)) ?? true;
  const mayAsk = (place: Place, id: number): boolean =>
    place.eligible.has(id) &&
    queueOf(id)?.isPaused !== true &&
    (place.passed.get(id) ?? 0) < (hot.get(id) ?? 0) &&
    hasRoom(place, id);
  const hotOf = (place: Place): number[] => [...hot.keys()].filter((id) => mayAsk(place, id));
  /** Not more than one claim may ask for: those that have waited longest for it. */
  const nextOf = (place: Place): number[] => {
    const all = hotOf(place);
    if (all.length <= MOST_CLASSES) return all;
    const next = all
      .toSorted((one, other) => (askedIn.get(one) ?? 0) - (askedIn.get(other) ?? 0))
      .slice(0, MOST_CLASSES);
    claimed += 1;
    for (const id of next) askedIn.set(id, claimed);
    return next;
  };
  const hasHot = (place: Place): boolean => {
    for (const id of hot.keys()) if (mayAsk(place, id)) return true;
    return false;
  };
  const mayHave = (place: Place): boolean => !place.isSilent && !place.isDrained && !place.taker.isFull();
  const limitsOf = (asked: readonly number[]): QueueLimit[] =>
    [...Map.groupBy(asked, (id) => queueOf(id))].flatMap(([queue, ids]) =>
      queue?.maxRunning == null ? [] : [{ queue: queue.name, classes: ids, most: queue.maxRunning }],
    );
  const freeSlots = (place: Place): number =>
    mayHave(place) ? Math.min(place.credits, place.slots - place.held) : 0;

  const excludedFor = ({ excluded }: Place): string[] => {
    const now = clock.monotonic();
    for (const [job, until] of excluded) if (until <= now) excluded.delete(job);
    return [...excluded.keys()];
  };

  const needsOf = (id: number): Needs => classes.get(id)?.needs ?? NO_NEEDS;
  const capacityOf = (place: Place, asked: readonly number[]): Pick<ClaimAsked, 'capacity'> => {
    const capacity = place.capacity?.offer(new Map(asked.map((id) => [id, needsOf(id)])));
    return capacity ? { capacity } : {};
  };
  const count = (place: Place, id: number, tasks: number): void => {
    const before = place.holding.get(id) ?? 0;
    const now = Math.max(0, before + tasks);
    if (now === 0) place.holding.delete(id);
    else place.holding.set(id, now);
    place.capacity?.take(needsOf(id), now - before);
  };

  const claim = (place: Place, wanted: number): void => {
    const asked = nextOf(place);
    const max = Math.min(wanted, MOST_PER_CLAIM);
    const before = said;
    place.credits -= max;
    place.held += max;
    place.asking += 1;
    claims += 1;
    const by = { actor: 'server', source: 'dispatch', now: clock.now() };
    const asking = {
      identity: place.taker.identity,
      classes: asked,
      max,
      leaseSeconds,
      excluded: excludedFor(place),
      limits: limitsOf(asked),
      ...capacityOf(place, asked),
      by,
    };
    store.leases
      .claim(asking)
      .then(({ jobs, ...left }) => {
        const got = jobs.reduce((sum, job) => sum + job.tasks.length, 0);
        place.asking -= 1;
        claims -= 1;
        place.credits += max - got;
        place.held -= max - got;
        for (const job of jobs) count(place, job.class, job.tasks.length);
        if (got > 0) {
          // What is there already would start first.
          const highest = Math.max(...jobs.map((job) => job.priority));
          if (place.held > place.slots) place.taker.recall(place.eligible, place.held, { below: highest });
          place.taker.take(jobs);
        }
        if (got < max) {
          const limits = new Set(left.limited);
          const more = new Set(left.more);
          const isForOthers = (id: number): boolean =>
            (got === 0 && more.has(id)) || asking.excluded.length > 0;
          // Short: these classes are empty, unless work came since or was left.
          for (const id of asked.filter((asks) => (hot.get(asks) ?? 0) <= before)) {
            if (limits.has(id)) limited.add(id);
            else if (got > 0 && more.has(id)) continue;
            else if (isForOthers(id)) {
              place.passed.set(id, before);
              continue;
            }
            hot.delete(id);
          }
        }
        // Who got nothing is done: the next are asked, who may have what it could not take.
        if (got > 0 || claims === 0) serve();
        watchStarving();
      })
      .catch((error: unknown) => {
        place.asking -= 1;
        claims -= 1;
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
      if (place.asking === 0 && fits(place) && hasHot(place)) found.push(place);
    }
    return found;
  }

  const isStarving = (place: Place): boolean => place.asking === 0 && freeSlots(place) > 0 && !hasHot(place);
  const isQueueing = (place: Place): boolean => place.held > place.slots;

  /** An agent has nothing while another has work that it has not started. */
  function watchStarving(): void {
    if (stopStarving || isClosed || !places.some(isQueueing) || !places.some(isStarving)) return;
    stopStarving = clock.after(STARVING_MS, () => {
      stopStarving = null;
      let asked = 0;
      for (const hungry of places.filter(isStarving)) {
        let wanted = freeSlots(hungry);
        const except = new Set(excludedFor(hungry));
        for (const full of places) {
          if (wanted <= 0) break;
          if (full === hungry || !isQueueing(full)) continue;
          // What the hungry one cannot take would come back to the full one, again and again.
          const fits = [...full.holding.keys()].filter(
            (id) => hungry.eligible.has(id) && hasRoom(hungry, id),
          );
          const most = Math.min(wanted, full.held - full.slots);
          const got = full.taker.recall(new Set(fits), most, { except });
          wanted -= got;
          asked += got;
        }
      }
      if (asked > 0) watchStarving();
    });
  }

  const lookAgain = async (): Promise<void> => {
    await readSettings();
    for (const id of await store.jobs.classesWithWork(clock.now())) {
      if (!classes.has(id))
        for (const { id: other, class: text } of await store.jobs.listClasses())
          if (!classes.has(other)) addClass(other, text);
      if (!hot.has(id)) addWork(id);
    }
    askAgain();
    serve();
    watchStarving();
  };

  /** Some of those who passed: work may have come that nobody told. Who passed first is asked first. */
  const askAgain = (): void => {
    const passing = places
      .filter((place) => mayHave(place) && place.credits > 0)
      .map((place) => ({ place, since: passedSince(place) }))
      .filter(({ since }) => since < Number.POSITIVE_INFINITY)
      .toSorted((one, other) => one.since - other.since);
    for (const { place } of passing.slice(0, WAVE)) place.passed.clear();
  };
  const passedSince = ({ passed }: Place): number => {
    for (const id of passed.keys()) if (!hot.has(id)) passed.delete(id);
    return Math.min(...passed.values());
  };

  const forgetClasses = async (): Promise<void> => {
    while (forgetting) await forgetting.done;
    const since = clock.monotonic() - FORGET_MS;
    const isHeld = (id: number): boolean => places.some((place) => place.holding.has(id));
    const isOld = (id: number): boolean => !hot.has(id) && (usedAt.get(id) ?? 0) <= since && !isHeld(id);
    const old = [...classes.keys()].filter(isOld);
    for (let at = 0; at < old.length && !isClosed; at += MOST_FORGOTTEN) {
      const some = old.slice(at, at + MOST_FORGOTTEN).filter(isOld);
      const asked = store.retention.forgetClasses(some).then(forgetThese);
      const over = (): void => void (forgetting = null);
      forgetting = { ids: new Set(some), done: asked.then(over, over) };
      await forgetting.done;
      await asked;
    }
  };
  const forgetThese = (gone: readonly number[]): void => {
    const those = new Set(gone);
    for (const [text, id] of ids) if (those.has(id)) ids.delete(text);
    for (const id of gone) {
      for (const known of [classes, usedAt, hot, askedIn, limited]) known.delete(id);
      for (const place of places) {
        place.eligible.delete(id);
        place.passed.delete(id);
      }
    }
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
    classOfOrder: (order) => knownId(classText(order)),
    async classOf(order) {
      const text = classText(order);
      for (;;) {
        const known = knownId(text);
        if (known !== undefined) return known;
        if (!forgetting) break;
        await forgetting.done;
      }
      const id = await store.jobs.classId(text);
      if (!classes.has(id)) addClass(id, text);
      return id;
    },
    addWork,
    forgetClasses,
    lookAgain,
    serve,

    sit(taker) {
      const place: Place = {
        taker,
        facts: null,
        capacity: null,
        holding: new Map(),
        slots: 0,
        megaflops: 0,
        credits: 0,
        held: 0,
        isSilent: false,
        isDrained: drained.has(taker.identity),
        asking: 0,
        eligible: new Set(),
        excluded: new Map(),
        passed: new Map(),
      };
      places.push(place);
      return {
        describe(facts, slots, megaflops) {
          const capacity = openCapacity(facts);
          for (const [id, tasks] of place.holding) capacity.take(needsOf(id), tasks);
          Object.assign(place, { facts, slots, megaflops, capacity });
          place.eligible.clear();
          place.passed.clear();
          for (const [id, asked] of classes) if (isEligible(asked, facts)) place.eligible.add(id);
          places = places.toSorted((one, other) => other.megaflops - one.megaflops);
        },
        giveCredits(more) {
          const most = Math.max(0, BOUNDS.heldTasks - place.held);
          place.credits = Math.min(place.credits + more, BOUNDS.credits, most);
        },
        hold(classId) {
          place.held += 1;
          if (classId !== undefined) count(place, classId, 1);
        },
        letGo(classIds) {
          place.held = Math.max(0, place.held - classIds.length);
          for (const id of classIds) if (id !== undefined) count(place, id, -1);
          for (const id of limited) addWork(id);
          limited.clear();
          watchStarving();
        },
        exclude(job, milliseconds = Number.POSITIVE_INFINITY) {
          if (place.excluded.size >= MOST_EXCLUDED) place.excluded.clear();
          place.excluded.set(job, clock.monotonic() + milliseconds);
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

    whyWaiting({ class: id, notBefore, isHeld }) {
      if (isHeld) return 'held';
      if (notBefore !== null && notBefore > clock.now()) return 'not_before';
      if (queueOf(id)?.isPaused === true) return 'queue_paused';
      const fitting = places.filter((place) => place.eligible.has(id));
      if (fitting.length === 0) return 'no_agent';
      if (fitting.every((place) => place.isDrained)) return 'drained';
      return limited.has(id) ? 'queue_limit' : 'busy';
    },

    queue: (name) => queues.get(name),
    classesOf: (queue) => [...classes].filter(([, asked]) => asked.queue === queue).map(([id]) => id),
    servesByName: (queue) => places.some((place) => place.facts?.admitted.queues.includes(queue)),
    overtake({ class: id, priority, tasks }) {
      let wanted = tasks;
      for (const place of places) {
        if (wanted <= 0) break;
        if (!place.eligible.has(id) || !mayHave(place)) continue;
        // A free slot takes it at once; else all that waits at an agent, because it would come behind.
        if (freeSlots(place) > 0 && hasRoom(place, id)) wanted -= freeSlots(place);
        else if (place.taker.recall(place.eligible, place.held, { below: priority }) > 0)
          wanted -= place.slots;
      }
    },
    callBack(fits) {
      for (const place of places) {
        const ids = new Set([...place.eligible].filter((id) => fits(place.taker.identity, id)));
        if (ids.size > 0 && place.held > 0) place.taker.recall(ids, place.held);
      }
    },

    close() {
      isClosed = true;
      stopStarving?.();
      stopLooking?.();
    },
  };
}
