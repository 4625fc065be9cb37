import { AgentError } from '../agent-error.ts';
import { readLines } from './read-lines.ts';
import { readLine } from './replay-lines.ts';
import type { ReplayLine, Success } from './replay-lines.ts';
import * as memory from './task-memory.ts';

export interface OrderKey {
  readonly digest: string;
  readonly person: string;
  readonly job: string;
  readonly notAfter: number;
}

export interface OrderMemory extends OrderKey {
  readonly n: number;
  /** index → packed {@link memory.TaskMemory}. */
  readonly tasks: Map<number, number>;
}

export interface Loaded {
  mark: number;
  witnessed: number;
  /** By person and job. */
  readonly orders: Map<string, OrderMemory>;
  readonly recent: RecentSuccesses;
}

/** The newest ones by order and index, oldest first: all of them stand in the file only. */
export type RecentSuccesses = Map<string, Success>;

const SUCCESSES_IN_MEMORY = 4096;

export const keyOf = (order: Pick<OrderKey, 'person' | 'job'>): string => `${order.person} ${order.job}`;

export const successKey = (n: number, index: number): string => `${n} ${index}`;

export function rememberSuccess(recent: RecentSuccesses, n: number, index: number, success: Success): void {
  recent.delete(successKey(n, index));
  recent.set(successKey(n, index), success);
  if (recent.size <= SUCCESSES_IN_MEMORY) return;
  const [oldest] = recent.keys();
  if (oldest !== undefined) recent.delete(oldest);
}

/**
 * Reads what was started here. `bootId` decides what an unmarked reservation means: under the same boot of the machine
 * the page cache held every mark, so it did not start; otherwise, or when the kernel lost a write, it counts as started.
 */
export async function loadReplay(path: string, bootId: string | null): Promise<Loaded> {
  const loaded: Loaded = { mark: 0, witnessed: 0, orders: new Map(), recent: new Map() };
  const byNumber = new Map<number, OrderMemory>();
  let boot: string | null = null;
  let isClosed = true;
  let reservations = 0;
  let bad = 0;

  const settle = (): void => {
    const isExact = isClosed || (boot !== null && boot === bootId);
    if (bad > 0 && isExact) throw damaged(path, `${bad} of its lines cannot be read`);
    bad = 0;
    const count = isExact ? memory.countAsUnstarted : memory.countAsStarted;
    for (const order of loaded.orders.values())
      for (const [index, packed] of order.tasks)
        order.tasks.set(index, memory.pack(memory.countAsUnstarted(count(memory.unpack(packed)))));
  };

  const change = (n: number, index: number, how: (task: memory.TaskMemory) => memory.TaskMemory): void => {
    const order = byNumber.get(n);
    if (order) order.tasks.set(index, memory.pack(how(memory.unpack(order.tasks.get(index)))));
    else bad += 1;
  };

  const take = (line: ReplayLine): void => {
    switch (line[0]) {
      case 'b':
        settle();
        boot = line[1];
        isClosed = false;
        return;
      case 'c':
        isClosed = true;
        return;
      case 'l':
        boot = null;
        return;
      case 'm':
        loaded.mark = Math.max(loaded.mark, line[1]);
        return;
      case 'w':
        loaded.witnessed = Math.max(loaded.witnessed, line[1]);
        return;
      case 'o': {
        const [, n, digest, person, job, notAfter] = line;
        const order = { n, digest, person, job, notAfter, tasks: new Map<number, number>() };
        byNumber.set(n, order);
        loaded.orders.set(keyOf(order), order);
        return;
      }
      case 'r': {
        if (line[1] !== reservations) throw damaged(path, `reservation ${reservations} is missing`);
        reservations += 1;
        for (const [index, attempt] of pairs(line[3]))
          change(line[2], index, (task) => memory.reserve(task, attempt));
        return;
      }
      case 's':
        change(line[1], line[2], (task) => memory.start(task, line[3]));
        return;
      case 'e': {
        const [, n, index, attempt, success] = line;
        change(n, index, (task) => memory.end(task, attempt, success !== 0));
        if (success !== 0) rememberSuccess(loaded.recent, n, index, success);
        return;
      }
      case 'u':
        for (const [index, attempt] of pairs(line[2]))
          change(line[1], index, (task) => memory.giveBack(task, attempt));
        return;
      case 'k':
        for (let at = 0; at + 2 < line[2].length; at += 3) {
          const [index = 0, highest = 0, last = 0] = line[2].slice(at, at + 3);
          change(line[1], index, () => ({ highest, reserved: 0, last: last === 1 ? 'succeeded' : 'ended' }));
        }
        return;
    }
  };

  const isWhole = await readLines(path, (text) => {
    const line = readLine(text);
    if (line) take(line);
    else if (text !== '') bad += 1;
  });
  // A line cut short by a crash is the last one; it was never reported durable.
  if (bad === 1 && !isWhole) bad = 0;
  settle();
  return loaded;
}

function* pairs(list: readonly number[]): Generator<[number, number]> {
  for (let at = 0; at + 1 < list.length; at += 2) yield [list[at] ?? 0, list[at + 1] ?? 0];
}

function damaged(path: string, why: string): AgentError {
  return new AgentError(
    'record.damaged',
    `${path} is damaged: ${why}. A machine that does not remember what it started needs a new identity: remove the folder, then writ join.`,
  );
}
