import type { Store } from '@writ/store';
import type { Clock } from '../clock.ts';
import type { Dispatch, Seat, Taker } from '../dispatch.ts';
import type { Log } from '../log.ts';
import { callWorkBackWith } from './call-work-back.ts';
import { openCapacity } from './capacity.ts';
import { claimWorkWith, WAVE } from './claim-work.ts';
import { openKnownClasses } from './known-classes.ts';
import { count, exclude, giveCredits, makePlace, mayHave, type Place } from './place.ts';
import { classText, isEligible } from './requirement-class.ts';
import { openSettings } from './settings.ts';
import { openWaitingWork } from './waiting-work.ts';

const LOOK_MS = 1_000;

/** Agents on one side, waiting work on the other; whatever changes on either side, `serve` is called. */
export async function openDispatch(parts: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly leaseSeconds: number;
}): Promise<Dispatch> {
  const { store, clock, log, leaseSeconds } = parts;
  const closing = new AbortController();
  const { signal } = closing;
  /** Fastest first. */
  let places: Place[] = [];

  const classes = await openKnownClasses({
    store,
    clock,
    signal,
    onKnown(id, asked) {
      for (const place of places) if (place.facts && isEligible(asked, place.facts)) place.eligible.add(id);
    },
    onForgotten(ids) {
      for (const id of ids) {
        work.forget(id);
        for (const place of places) {
          place.eligible.delete(id);
          place.passed.delete(id);
        }
      }
    },
  });
  const settings = openSettings(store);
  await settings.read();
  const work = openWaitingWork(classes, settings);
  const back = callWorkBackWith({ clock, signal, classes, work, places: () => places });
  const serve = claimWorkWith({
    store,
    clock,
    log,
    leaseSeconds,
    signal,
    classes,
    work,
    places: () => places,
    onClaimed: back.watchStarving,
  });

  const sit = (taker: Taker): Seat => {
    const place = makePlace(taker, settings.isDrained(taker.identity));
    places.push(place);
    return {
      describe(facts, slots, megaflops) {
        const capacity = openCapacity(facts);
        for (const [id, tasks] of place.holding) capacity.take(classes.needsOf(id), tasks);
        Object.assign(place, { facts, slots, megaflops, capacity });
        place.eligible.clear();
        place.passed.clear();
        for (const [id, asked] of classes.all) if (isEligible(asked, facts)) place.eligible.add(id);
        places = places.toSorted((one, other) => other.megaflops - one.megaflops);
      },
      giveCredits: (more) => giveCredits(place, more),
      hold(classId) {
        place.held += 1;
        if (classId !== undefined) count(place, classId, classes.needsOf(classId), 1);
      },
      letGo(classIds) {
        place.held = Math.max(0, place.held - classIds.length);
        for (const id of classIds) if (id !== undefined) count(place, id, classes.needsOf(id), -1);
        work.endLimits();
        back.watchStarving();
      },
      exclude: (job, milliseconds = Number.POSITIVE_INFINITY) =>
        exclude(place, job, clock.monotonic() + milliseconds),
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
  };

  const lookAgain = async (): Promise<void> => {
    await settings.read();
    for (const place of places) place.isDrained = settings.isDrained(place.taker.identity);
    for (const id of await store.jobs.classesWithWork(clock.now())) {
      if (!classes.find(id)) await classes.learnNew();
      if (!work.has(id)) work.add(id);
    }
    askAgain();
    serve();
    back.watchStarving();
  };
  /** Some of those who passed: work may have come that nobody told. Who passed first is asked first. */
  const askAgain = (): void => {
    const passing = places
      .filter((place) => mayHave(place) && place.credits > 0)
      .map((place) => ({ place, since: work.passedSince(place) }))
      .filter(({ since }) => since < Number.POSITIVE_INFINITY)
      .toSorted((one, other) => one.since - other.since);
    for (const { place } of passing.slice(0, WAVE)) place.passed.clear();
  };

  /** Behind everything that is told: orders whose time comes, and whatever was not told. */
  let stopLooking = (): void => {};
  const keepLooking = (): void => {
    if (signal.aborted) return;
    stopLooking = clock.after(LOOK_MS, () => {
      lookAgain()
        .catch((error: unknown) => log('error', 'dispatch.look_failed', { error }))
        .finally(keepLooking);
    });
  };
  keepLooking();

  return {
    classOfOrder: (order) => classes.idOf(classText(order)),
    classOf: (order) => classes.learn(classText(order)),
    addWork: work.add,
    forgetClasses: () =>
      classes.forgetUnused((id) => work.has(id) || places.some((place) => place.holding.has(id))),
    lookAgain,
    serve,
    sit,
    overtake: back.overtake,
    callBack: back.callBack,

    whyWaiting({ class: id, notBefore, isHeld }) {
      if (isHeld) return 'held';
      if (notBefore !== null && notBefore > clock.now()) return 'not_before';
      if (work.queueOf(id)?.isPaused === true) return 'queue_paused';
      const fitting = places.filter((place) => place.eligible.has(id));
      if (fitting.length === 0) return 'no_agent';
      if (fitting.every((place) => place.isDrained)) return 'drained';
      return work.isLimited(id) ? 'queue_limit' : 'busy';
    },
    queue: settings.queue,
    classesOf: (queue) => [...classes.all].filter(([, asked]) => asked.queue === queue).map(([id]) => id),
    servesByName: (queue) => places.some((place) => place.facts?.admitted.queues.includes(queue)),

    close() {
      closing.abort();
      back.close();
      stopLooking();
    },
  };
}
