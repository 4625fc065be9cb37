import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AgentError } from '../agent-error.ts';
import { notDurable, openAppendFile } from '../append-file.ts';
import { syncFolder } from '@writ/trust/node';
import { keyOf, loadReplay, rememberSuccess, successKey } from './load-replay.ts';
import type { Loaded, OrderKey, OrderMemory } from './load-replay.ts';
import { readLines } from './read-lines.ts';
import { readLine, writeLine } from './replay-lines.ts';
import type { Success } from './replay-lines.ts';
import * as memory from './task-memory.ts';

export type { OrderKey } from './load-replay.ts';
export type { Success } from './replay-lines.ts';

const DAY = 86_400_000;
const KEPT_AFTER_END = 31 * DAY;
const MARK_AHEAD_OF_WITNESS = DAY;
const WITNESS_STEP = 60_000;

export interface Attempt {
  readonly index: number;
  readonly attempt: number;
}

export interface Remembered extends memory.TaskMemory {
  /** Another order was seen under the same person and job. */
  readonly isOtherOrder: boolean;
  readonly isRunning: boolean;
}

/** What was started on this machine, so that it is never started again. */
export interface Replay {
  /** An order whose not-after is not later than this is refused for ever, whatever the clock says. */
  readonly mark: number;
  /** The newest time in a trusted signature that was not ahead of this machine's clock when it was seen. */
  readonly witnessed: number;
  witness(time: number): void;
  /** Never earlier than the newest witnessed time. */
  now(): number;
  recall(order: OrderKey, index: number): Remembered;
  /** Durable when it resolves: only then may one of them start. */
  reserve(order: OrderKey, tasks: readonly Attempt[]): Promise<void>;
  /** Not durable, but in the page cache before the start. */
  markStarted(order: OrderKey, task: Attempt): void;
  markEnded(order: OrderKey, task: Attempt, success: Success | null): void;
  /** Durable when it resolves: only then may the server be told. */
  handBack(order: OrderKey, tasks: readonly Attempt[]): Promise<void>;
  /** What stood in the receipt of the attempt that succeeded here. */
  findSuccess(order: OrderKey, index: number): Promise<Success | undefined>;
  /** What a receipt tells that was durable when this record may not have been. */
  recover(
    told: { readonly person: string; readonly job: string; readonly order: string; readonly index: number },
    success: Success,
  ): void;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface ReplayPlace {
  readonly path: string;
  /** Names this boot of the machine; null where that cannot be known. */
  readonly bootId: string | null;
  readonly now: () => number;
  /** Nothing more can be made durable: what was recorded last may be gone. */
  readonly onLost: (error: AgentError) => void;
}

/** Makes the empty record of a machine that joins. An agent without one does not start. */
export async function createReplay(path: string): Promise<void> {
  const file = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return undefined;
    throw error;
  });
  if (!file) return;
  await file.sync();
  await file.close();
  await syncFolder(dirname(path));
}

/** Loads, drops what is long over, writes the rest anew, and holds the file open. */
export async function openReplay({ path, bootId, now, onLost }: ReplayPlace): Promise<Replay> {
  const loaded = await load(path, bootId);
  purge(loaded, now());
  // Written anew: what the one before could not sync may still be in the page cache, where no later sync says so.
  await compact(path, loaded, bootId).catch((cause: unknown) => {
    throw notDurable(path, cause);
  });
  const file = openAppendFile(path, { onLost, lastWord: `\n${writeLine(['l'])}` });
  const { orders, recent } = loaded;
  let numbers = 0;
  for (const { n } of orders.values()) numbers = Math.max(numbers, n + 1);
  let reservations = 0;
  let { witnessed } = loaded;
  let witnessWritten = witnessed;

  const numberOf = (order: OrderKey): OrderMemory => {
    const known = orders.get(keyOf(order));
    if (known) return known;
    const fresh: OrderMemory = { ...order, n: numbers, tasks: new Map() };
    file.append(writeLine(['o', fresh.n, fresh.digest, fresh.person, fresh.job, fresh.notAfter]));
    numbers += 1;
    orders.set(keyOf(order), fresh);
    return fresh;
  };
  const change = (
    known: OrderMemory,
    index: number,
    how: (task: memory.TaskMemory) => memory.TaskMemory,
  ): void => {
    known.tasks.set(index, memory.pack(how(memory.unpack(known.tasks.get(index)))));
  };
  const flat = (tasks: readonly Attempt[]): number[] =>
    tasks.flatMap(({ index, attempt }) => [index, attempt]);

  return {
    mark: loaded.mark,
    get witnessed() {
      return witnessed;
    },
    witness(time) {
      if (time <= witnessed || time > now()) return;
      witnessed = time;
      if (time - witnessWritten < WITNESS_STEP) return;
      witnessWritten = time;
      file.append(writeLine(['w', time]));
    },
    now: () => Math.max(now(), witnessed),
    recall(order, index) {
      const known = orders.get(keyOf(order));
      const task = memory.unpack(known?.tasks.get(index));
      return {
        ...task,
        isOtherOrder: known !== undefined && known.digest !== order.digest,
        isRunning: task.last === 'started',
      };
    },
    async reserve(order, tasks) {
      const known = numberOf(order);
      file.append(writeLine(['r', reservations, known.n, flat(tasks)]));
      reservations += 1;
      for (const { index, attempt } of tasks) change(known, index, (task) => memory.reserve(task, attempt));
      await file.sync();
    },
    markStarted(order, { index, attempt }) {
      const known = numberOf(order);
      file.append(writeLine(['s', known.n, index, attempt]));
      change(known, index, (task) => memory.start(task, attempt));
    },
    markEnded(order, { index, attempt }, success) {
      const known = numberOf(order);
      // In memory first: a full disk must not make this process forget.
      change(known, index, (task) => memory.end(task, attempt, success !== null));
      if (success) rememberSuccess(recent, known.n, index, success);
      file.append(writeLine(['e', known.n, index, attempt, success ?? 0]));
    },
    async handBack(order, tasks) {
      const known = numberOf(order);
      file.append(writeLine(['u', known.n, flat(tasks)]));
      for (const { index, attempt } of tasks) change(known, index, (task) => memory.giveBack(task, attempt));
      await file.sync();
    },
    async findSuccess(order, index) {
      const known = orders.get(keyOf(order));
      if (!known) return undefined;
      return recent.get(successKey(known.n, index)) ?? (await searchSuccess(path, known.n, index));
    },
    recover(told, success) {
      const known = orders.get(keyOf(told));
      if (
        !known ||
        known.digest !== told.order ||
        memory.unpack(known.tasks.get(told.index)).last === 'succeeded'
      )
        return;
      change(known, told.index, (task) => memory.end(task, success.attempt, true));
      rememberSuccess(recent, known.n, told.index, success);
      file.append(writeLine(['e', known.n, told.index, success.attempt, success]));
    },
    sync: () => file.sync(),
    async close() {
      try {
        await file.sync();
        file.append(writeLine(['c']));
        await file.sync();
      } finally {
        await file.close();
      }
    },
  };
}

async function load(path: string, bootId: string | null): Promise<Loaded> {
  try {
    return await loadReplay(path, bootId);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw new AgentError(
      'agent.state_damaged',
      `${path} is missing: this machine no longer remembers what it started. It needs a new identity: remove the folder, then writ join.`,
      { cause },
    );
  }
}

/** Forgets what ended long ago, and remembers that it forgot: neither a wild clock nor a far date moves the mark alone. */
function purge(loaded: Loaded, clock: number): void {
  const latest = Math.max(clock, loaded.witnessed) - KEPT_AFTER_END;
  loaded.mark = Math.max(loaded.mark, Math.min(latest, loaded.witnessed + MARK_AHEAD_OF_WITNESS));
  for (const [key, order] of loaded.orders) if (order.notAfter <= loaded.mark) loaded.orders.delete(key);
}

/** What the new file says is durable before it takes the place of the old one. */
async function compact(path: string, loaded: Loaded, bootId: string | null): Promise<void> {
  const beside = `${path}.new`;
  const file = await open(beside, 'w', 0o600);
  try {
    let text = writeLine(['m', loaded.mark]) + writeLine(['w', loaded.witnessed]);
    const kept = new Set<number>();
    for (const order of loaded.orders.values()) {
      kept.add(order.n);
      text += writeLine(['o', order.n, order.digest, order.person, order.job, order.notAfter]);
      let list: number[] = [];
      for (const [index, packed] of order.tasks) {
        const { highest, last } = memory.unpack(packed);
        if (highest > 0) list.push(index, highest, last === 'succeeded' ? 1 : 0);
        if (list.length < 3000) continue;
        text += writeLine(['k', order.n, list]);
        list = [];
      }
      if (list.length > 0) text += writeLine(['k', order.n, list]);
      if (text.length < 1_000_000) continue;
      await file.appendFile(text);
      text = '';
    }
    await readLines(path, (line) => {
      if (!isSuccessOf(kept, line)) return;
      text += `${line}\n`;
      if (text.length < 1_000_000) return;
      const full = text;
      text = '';
      return file.appendFile(full);
    });
    await file.appendFile(text + writeLine(['b', bootId]));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  await syncFolder(dirname(path));
}

function isSuccessOf(orders: ReadonlySet<number>, text: string): boolean {
  if (!text.startsWith('["e",') || text.endsWith(',0]')) return false;
  const line = readLine(text);
  return line?.[0] === 'e' && line[4] !== 0 && orders.has(line[1]);
}

/** The rare way: only after a server lost what it had accepted. */
async function searchSuccess(path: string, n: number, index: number): Promise<Success | undefined> {
  let found: Success | undefined;
  await readLines(path, (text) => {
    if (!text.startsWith(`["e",${n},${index},`)) return;
    const line = readLine(text);
    if (line?.[0] === 'e' && line[4] !== 0) found = line[4];
  });
  return found;
}
