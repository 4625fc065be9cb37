/** What is remembered of one task, in one small number: arrays have a million of them. */
export interface TaskMemory {
  /** Highest attempt that counts as started; 0 for none. */
  readonly highest: number;
  /** Attempt that was reserved durably and has not started; 0 for none. */
  readonly reserved: number;
  readonly last: 'none' | 'started' | 'ended' | 'succeeded';
}

const LAST = ['none', 'started', 'ended', 'succeeded'] as const;
const NOTHING: TaskMemory = { highest: 0, reserved: 0, last: 'none' };

export const pack = ({ highest, reserved, last }: TaskMemory): number =>
  (highest * 128 + reserved) * 4 + LAST.indexOf(last);

export function unpack(packed: number | undefined): TaskMemory {
  if (packed === undefined) return NOTHING;
  const attempts = packed >>> 2;
  return { highest: attempts >>> 7, reserved: attempts & 127, last: LAST[packed & 3] ?? 'none' };
}

export const reserve = (task: TaskMemory, attempt: number): TaskMemory => ({ ...task, reserved: attempt });

export const start = (task: TaskMemory, attempt: number): TaskMemory => ({
  highest: Math.max(task.highest, attempt),
  reserved: 0,
  last: 'started',
});

/** Never forgets a success, whatever comes after it. */
export const end = (task: TaskMemory, attempt: number, isSuccess: boolean): TaskMemory => ({
  highest: Math.max(task.highest, attempt),
  reserved: task.reserved,
  last: isSuccess || task.last === 'succeeded' ? 'succeeded' : 'ended',
});

/** Handed back: it neither started nor will it under that lease. */
export function giveBack(task: TaskMemory, attempt: number): TaskMemory {
  if (task.reserved === attempt) return { ...task, reserved: 0 };
  if (task.last === 'started' && task.highest === attempt)
    return { highest: attempt - 1, reserved: 0, last: attempt > 1 ? 'ended' : 'none' };
  return task;
}

/** After the machine itself crashed nobody knows which of a reserved batch had started: all of it counts. */
export const countAsStarted = (task: TaskMemory): TaskMemory =>
  task.reserved === 0
    ? task
    : {
        highest: Math.max(task.highest, task.reserved),
        reserved: 0,
        last: task.last === 'succeeded' ? 'succeeded' : 'ended',
      };

/** After the process alone ended, the marks are exact: what is reserved and not marked did not start. */
export const countAsUnstarted = (task: TaskMemory): TaskMemory => ({
  ...task,
  reserved: 0,
  last: task.last === 'started' ? 'ended' : task.last,
});
