import type { Store } from '@writ/store';
import type { Clock } from '../clock.ts';
import { type Needs, parseClass, type RequirementClass } from './requirement-class.ts';

/** The kinds of work there are. The store gives each a number; it is forgotten when nobody submits such work any more. */
export interface KnownClasses {
  find(id: number): RequirementClass | undefined;
  needsOf(id: number): Needs;
  readonly all: Iterable<readonly [id: number, asked: RequirementClass]>;
  /** Known without asking the store, and not about to be forgotten. */
  idOf(text: string): number | undefined;
  /** Makes it known, and waits while it is being forgotten. */
  learn(text: string): Promise<number>;
  /** Those that others have made. */
  learnNew(): Promise<void>;
  forgetUnused(isNeeded: (id: number) => boolean): Promise<void>;
}

export interface ClassParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onKnown: (id: number, asked: RequirementClass) => void;
  readonly onForgotten: (ids: readonly number[]) => void;
}

/** Between what asks for a class and its submission there is less time. */
const FORGET_MS = 600_000;
const MOST_FORGOTTEN = 500;
const NO_NEEDS: Needs = { cpus: null, memoryBytes: 0, counters: [] };

export async function openKnownClasses(parts: ClassParts): Promise<KnownClasses> {
  const { store, clock, signal, onKnown, onForgotten } = parts;
  const classes = new Map<number, RequirementClass>();
  const ids = new Map<string, number>();
  /** When a submission asked for a class last. */
  const usedAt = new Map<number, number>();
  /** Until the store has answered, nobody may submit for these. */
  let forgetting: { readonly ids: ReadonlySet<number>; readonly done: Promise<void> } | null = null;

  const add = (id: number, text: string): void => {
    if (classes.has(id)) return;
    const asked = parseClass(text);
    classes.set(id, asked);
    ids.set(text, id);
    usedAt.set(id, clock.monotonic());
    onKnown(id, asked);
  };
  const learnNew = async (): Promise<void> => {
    for (const { id, class: text } of await store.jobs.listClasses()) add(id, text);
  };

  const idOf = (text: string): number | undefined => {
    const id = ids.get(text);
    if (id === undefined || forgetting?.ids.has(id)) return undefined;
    usedAt.set(id, clock.monotonic());
    return id;
  };

  const forget = (gone: readonly number[]): void => {
    const those = new Set(gone);
    for (const [text, id] of ids) if (those.has(id)) ids.delete(text);
    for (const id of gone) {
      classes.delete(id);
      usedAt.delete(id);
    }
    onForgotten(gone);
  };

  await learnNew();
  return {
    find: (id) => classes.get(id),
    needsOf: (id) => classes.get(id)?.needs ?? NO_NEEDS,
    all: classes,
    idOf,
    learnNew,
    async learn(text) {
      for (;;) {
        const known = idOf(text);
        if (known !== undefined) return known;
        if (!forgetting) break;
        await forgetting.done;
      }
      const id = await store.jobs.classId(text);
      add(id, text);
      return id;
    },
    async forgetUnused(isNeeded) {
      while (forgetting) await forgetting.done;
      const since = clock.monotonic() - FORGET_MS;
      const isOld = (id: number): boolean => (usedAt.get(id) ?? 0) <= since && !isNeeded(id);
      const old = [...classes.keys()].filter(isOld);
      for (let at = 0; at < old.length && !signal.aborted; at += MOST_FORGOTTEN) {
        const some = old.slice(at, at + MOST_FORGOTTEN).filter(isOld);
        const asked = store.retention.forgetClasses(some).then(forget);
        const over = (): void => void (forgetting = null);
        forgetting = { ids: new Set(some), done: asked.then(over, over) };
        await forgetting.done;
        await asked;
      }
    },
  };
}
