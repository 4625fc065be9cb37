import type { LeasedTask } from '@writ/contract';

// The rules of leases on the agent's side, as plain functions of (book, event, monotonic time).

export interface HeldTask extends LeasedTask {
  readonly order: string;
  readonly seconds: number;
  /** Monotonic milliseconds at which the attempt must be dead. */
  endsAt: number;
  /** When the next renewal is due. */
  renewAt: number;
  /** When renewals were sent that have no answer yet, oldest first. */
  readonly asked: number[];
  isRunning: boolean;
  /** Whether this agent may still report it as its own. */
  isMine: boolean;
}

export interface LeaseBook {
  readonly size: number;
  readonly tasks: Iterable<HeldTask>;
  find(task: { readonly job: string; readonly index: number }): HeldTask | undefined;
  /** `since`: when it began. `held`: the very same lease again. `stale`: an older token than the one held. */
  take(
    task: LeasedTask,
    lease: { readonly order: string; readonly seconds: number },
    since: number,
  ): HeldTask | 'held' | 'stale';
  /** Renewals for these are on their way since `now`. */
  ask(tasks: readonly HeldTask[], now: number): void;
  /** An answer counts for what was asked, from when it was asked; what was not asked or is not held is ignored. */
  renewed(tasks: readonly LeasedTask[]): void;
  dueForRenewal(now: number): HeldTask[];
  over(now: number): HeldTask[];
  drop(task: HeldTask): void;
  /** A new link: questions on the old one will not be answered. */
  forgetQuestions(): void;
}

/** The attempt ends half a second before the lease, or a tenth of a short one: it must be dead when somebody else may start. */
export const marginOf = (seconds: number): number => Math.min(500, seconds * 100);

export const taskKey = ({ job, index }: { readonly job: string; readonly index: number }): string =>
  `${job}.${index}`;

const isSameToken = (a: LeasedTask, b: LeasedTask): boolean =>
  a.token.epoch === b.token.epoch && a.token.n === b.token.n;
const isOlderToken = (a: LeasedTask, b: LeasedTask): boolean =>
  a.token.epoch < b.token.epoch || (a.token.epoch === b.token.epoch && a.token.n < b.token.n);

export function openLeaseBook(): LeaseBook {
  const held = new Map<string, HeldTask>();

  return {
    get size() {
      return held.size;
    },
    get tasks() {
      return held.values();
    },
    find: (task) => held.get(taskKey(task)),
    take(task, { order, seconds }, since) {
      const before = held.get(taskKey(task));
      if (before && isSameToken(before, task)) return 'held';
      if (before && isOlderToken(task, before)) return 'stale';
      const taken: HeldTask = {
        job: task.job,
        index: task.index,
        attempt: task.attempt,
        token: task.token,
        order,
        seconds,
        endsAt: since + seconds * 1000 - marginOf(seconds),
        renewAt: since + (seconds * 1000) / 3,
        asked: [],
        isRunning: false,
        isMine: true,
      };
      if (before) before.isMine = false;
      held.set(taskKey(task), taken);
      return taken;
    },
    ask(tasks, now) {
      for (const task of tasks) {
        task.asked.push(now);
        task.renewAt = now + (task.seconds * 1000) / 3;
      }
    },
    renewed(tasks) {
      for (const task of tasks) {
        const mine = held.get(taskKey(task));
        if (!mine || !isSameToken(mine, task)) continue;
        const askedAt = mine.asked.shift();
        if (askedAt === undefined) continue;
        mine.endsAt = Math.max(mine.endsAt, askedAt + mine.seconds * 1000 - marginOf(mine.seconds));
      }
    },
    dueForRenewal: (now) => [...held.values()].filter((task) => task.renewAt <= now),
    over: (now) => [...held.values()].filter((task) => task.endsAt <= now),
    drop(task) {
      task.isMine = false;
      if (held.get(taskKey(task)) === task) held.delete(taskKey(task));
    },
    forgetQuestions() {
      for (const task of held.values()) task.asked.length = 0;
    },
  };
}

export const plainTask = ({ job, index, attempt, token }: LeasedTask): LeasedTask => ({
  job,
  index,
  attempt,
  token: { epoch: token.epoch, n: token.n },
});
