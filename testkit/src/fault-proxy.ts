import { createServer, connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** `up` is what the side that dialed sends, `down` what it gets. */
export type Direction = 'up' | 'down';

/** A TCP relay on loopback that can be made to fail. */
export interface FaultProxy extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Bytes that have been passed on so far. */
  readonly bytes: Readonly<Record<Direction, number>>;
  /** Connections open now. */
  readonly open: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Ends every open connection at once, as a pulled cable that is noticed would. */
  cut(): void;
  /** Ends every open connection after this many more bytes in that direction. */
  cutAfter(direction: Direction, bytes: number): void;
  /** Whoever dials from now on is cut off at once; `accept` ends this. */
  refuse(): void;
  accept(): void;
  /** Everything takes this much longer in each direction. */
  delay(milliseconds: number): void;
  /** Keeps back everything in that direction, connections staying open, until the returned function is called. */
  hold(direction: Direction): () => void;
  /** Resolves when bytes are being kept back in that direction. */
  holding(direction: Direction, signal?: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

export interface FaultProxyTarget {
  readonly host?: string;
  readonly port: number;
}

export async function startFaultProxy(target: FaultProxyTarget): Promise<FaultProxy> {
  const pairs = new Set<Pair>();
  const state: State = {
    delayMs: 0,
    bytes: { up: 0, down: 0 },
    allowance: { up: Infinity, down: Infinity },
    gates: { up: openGate(), down: openGate() },
    cut,
  };
  let accepted = 0;
  let isRefusing = false;
  const listener = createServer({ noDelay: true, allowHalfOpen: true }, (dialer) => {
    if (isRefusing) {
      dialer.on('error', () => {});
      dialer.resetAndDestroy();
      return;
    }
    accepted += 1;
    const host = target.host ?? '127.0.0.1';
    const onward = connect({ host, port: target.port, noDelay: true, allowHalfOpen: true });
    const pair = relay(dialer, onward, state);
    pairs.add(pair);
    pair.onEnd(() => pairs.delete(pair));
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP listener has a port');

  function cut(): void {
    for (const pair of pairs) pair.cut();
  }
  async function stop(): Promise<void> {
    cut();
    if (!listener.listening) return;
    listener.close();
    await once(listener, 'close');
  }

  return {
    host: '127.0.0.1',
    port: address.port,
    bytes: state.bytes,
    get open() {
      return pairs.size;
    },
    get accepted() {
      return accepted;
    },
    cut,
    cutAfter(direction, bytes) {
      state.allowance[direction] = bytes;
    },
    refuse() {
      isRefusing = true;
    },
    accept() {
      isRefusing = false;
    },
    delay(milliseconds) {
      state.delayMs = milliseconds;
    },
    hold(direction) {
      const gate = closedGate();
      state.gates[direction] = gate;
      return () => {
        if (state.gates[direction] === gate) state.gates[direction] = openGate();
        gate.open();
      };
    },
    async holding(direction, signal) {
      while (state.gates[direction].kept === 0) await sleep(2, undefined, signal ? { signal } : {});
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

interface State {
  delayMs: number;
  readonly bytes: Record<Direction, number>;
  readonly allowance: Record<Direction, number>;
  readonly gates: Record<Direction, Gate>;
  readonly cut: () => void;
}

interface Gate {
  readonly passage: Promise<void> | undefined;
  /** Chunks that wait at this gate. */
  kept: number;
  open(): void;
}

const openGate = (): Gate => ({ passage: undefined, kept: 0, open: () => {} });

function closedGate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passage: promise, kept: 0, open: resolve };
}

interface Pair {
  cut(): void;
  onEnd(listener: () => void): void;
}

function relay(dialer: Socket, target: Socket, state: State): Pair {
  let open = 2;
  let ended = (): void => {};
  const cut = (): void => {
    dialer.resetAndDestroy();
    target.resetAndDestroy();
  };
  for (const socket of [dialer, target]) {
    socket.on('error', cut);
    socket.once('close', () => {
      open -= 1;
      if (open === 0) ended();
    });
  }
  pass(dialer, target, 'up', state).catch(cut);
  pass(target, dialer, 'down', state).catch(cut);
  return {
    cut,
    onEnd: (listener) => {
      ended = listener;
    },
  };
}

const MOST_QUEUED = 1 << 20;

/** Passes bytes on in their order, each no earlier than its time. */
async function pass(from: Socket, to: Socket, direction: Direction, state: State): Promise<void> {
  const queue: { chunk: Buffer; due: number }[] = [];
  let queued = 0;
  let hasEnded = false;
  let wake = (): void => {};
  from.on('data', (chunk: Buffer) => {
    queue.push({ chunk, due: performance.now() + state.delayMs });
    queued += chunk.length;
    if (queued > MOST_QUEUED) from.pause();
    wake();
  });
  const end = (): void => {
    hasEnded = true;
    wake();
  };
  from.once('end', end);
  from.once('close', end);
  for (;;) {
    const next = queue.shift();
    if (!next) {
      if (hasEnded) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }
    const early = next.due - performance.now();
    if (early > 0) await sleep(early);
    await waitAtGates(direction, state);
    queued -= next.chunk.length;
    if (from.isPaused() && queued <= MOST_QUEUED / 2) from.resume();
    const allowed = next.chunk.subarray(0, state.allowance[direction]);
    state.allowance[direction] -= allowed.length;
    state.bytes[direction] += allowed.length;
    if (to.destroyed) break;
    if (!to.write(allowed) && !(await drained(to))) break;
    if (state.allowance[direction] <= 0) {
      state.allowance[direction] = Infinity;
      state.cut();
      return;
    }
  }
  to.end();
}

async function waitAtGates(direction: Direction, state: State): Promise<void> {
  for (let gate = state.gates[direction]; gate.passage; gate = state.gates[direction]) {
    gate.kept += 1;
    await gate.passage;
    gate.kept -= 1;
  }
}

async function drained(socket: Socket): Promise<boolean> {
  if (socket.destroyed) return false;
  return new Promise((resolve) => {
    socket.once('drain', () => resolve(true));
    socket.once('close', () => resolve(false));
  });
}
