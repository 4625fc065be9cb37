import type { LeasedTask } from '@writ/contract';
import type { Clock } from '../clock.ts';
import type { RecallOnly } from '../dispatch.ts';

export type LeaseRef = Pick<LeasedTask, 'job' | 'index' | 'token'>;

export interface LinkTask extends LeasedTask {
  readonly classId: number | undefined;
  readonly priority: number;
  isStarted: boolean;
  isRecalled: boolean;
  readonly since: number;
}

/** The tasks that one agent holds, as far as its link knows: the newest attempt of each. */
export interface LinkTasks {
  readonly size: number;
  readonly all: Iterable<LinkTask>;
  /** Whatever attempt it is. */
  at(job: string, index: number): LinkTask | undefined;
  /** Under that token only: late words about an attempt before it leave the present one alone. */
  find(task: LeaseRef): LinkTask | undefined;
  /** @returns the one whose place it takes. */
  open(task: LeasedTask, of: Pick<LinkTask, 'classId' | 'priority' | 'isStarted'>): LinkTask | undefined;
  /** @returns those that were there. */
  drop(tasks: readonly LeaseRef[]): LinkTask[];
  /** So many at most that have not started; they count as called back from now on. The newest first: it would start them last. */
  callBack(classes: ReadonlySet<number>, most: number, only: RecallOnly): LinkTask[];
}

/** What starts within this time is not worth being overtaken. */
const QUICK_MS = 100;
/** What an agent brought with it over a new link is not overtaken. */
export const KEPT_PRIORITY = Number.MAX_SAFE_INTEGER;

export function openLinkTasks(clock: Clock): LinkTasks {
  const tasks = new Map<string, LinkTask>();
  /** None has a lower priority. */
  let lowest = KEPT_PRIORITY;

  const keyOf = (task: { job: string; index: number }): string => `${task.job}.${task.index}`;
  const find = (task: LeaseRef): LinkTask | undefined => {
    const mine = tasks.get(keyOf(task));
    return mine?.token.n === task.token.n && mine.token.epoch === task.token.epoch ? mine : undefined;
  };

  return {
    get size() {
      return tasks.size;
    },
    get all() {
      return tasks.values();
    },
    at: (job, index) => tasks.get(keyOf({ job, index })),
    find,
    open(task, of) {
      const key = keyOf(task);
      const before = tasks.get(key);
      tasks.set(key, { ...task, ...of, isRecalled: false, since: clock.now() });
      lowest = tasks.size === 1 ? of.priority : Math.min(lowest, of.priority);
      return before;
    },
    drop(dropped) {
      const gone: LinkTask[] = [];
      for (const task of dropped) {
        const mine = find(task);
        if (mine && tasks.delete(keyOf(task))) gone.push(mine);
      }
      return gone;
    },
    callBack(classes, most, { below = Number.POSITIVE_INFINITY, except }) {
      const wanted: LinkTask[] = [];
      if (lowest >= below) return wanted;
      const leasedBefore = Number.isFinite(below) ? clock.now() - QUICK_MS : Number.POSITIVE_INFINITY;
      for (const task of [...tasks.values()].toReversed()) {
        if (wanted.length === most) break;
        if (task.isStarted || task.isRecalled || task.priority >= below || task.since > leasedBefore)
          continue;
        if (task.classId === undefined || !classes.has(task.classId) || except?.has(task.job)) continue;
        task.isRecalled = true;
        wanted.push(task);
      }
      return wanted;
    },
  };
}
