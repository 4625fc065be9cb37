import { Socket } from 'node:net';
import type { FromLauncher, RunEnd } from '../launcher/messages.ts';
import { IsolateError } from './isolation.ts';
import type { Isolation, SlotEnd, SlotRun, SlotStarted } from './isolation.ts';

export interface IsolationPlace {
  /** The descriptor of the socket to the launcher: 3 when `writ agent run` started this program. */
  readonly descriptor: number;
  /** Folders as this program sees them; the launcher knows its own names for them. */
  readonly slotsFolder: string;
  readonly cacheFolder: string;
}

/** Resolves when the launcher has measured what it offers. The isolation owns the socket from now on. */
export function openIsolation(place: IsolationPlace): Promise<Isolation> {
  return isolationOver(new Socket({ fd: place.descriptor, readable: true, writable: true }), place);
}

export function isolationOver(socket: Socket, place: Omit<IsolationPlace, 'descriptor'>): Promise<Isolation> {
  return new Promise((resolve, reject) => {
    const line = new LauncherLine(socket, place, resolve);
    void line.lost.then(() =>
      reject(
        new IsolateError('isolate.lost', 'The launcher ended before it was ready: its own log says why.'),
      ),
    );
  });
}

interface Waiting {
  readonly slot: number;
  readonly set: number;
  running(forMs: number): void;
  ended(end: RunEnd): void;
  failed(error: IsolateError): void;
}

class LauncherLine implements Isolation {
  slots = 0;
  runsPerSlot = 0;
  offers: Isolation['offers'] = [];
  readonly cacheFolder: string;
  readonly lost: Promise<void>;
  readonly #socket: Socket;
  readonly #place: Omit<IsolationPlace, 'descriptor'>;
  readonly #ready: (isolation: Isolation) => void;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ids = new WeakMap<SlotStarted, number>();
  #freeSets: number[][] = [];
  #forSet: Array<Array<(set: number | null) => void>> = [];
  #next = 0;
  #partial = '';
  #toSend = '';
  #isLost = false;

  constructor(
    socket: Socket,
    place: Omit<IsolationPlace, 'descriptor'>,
    ready: (isolation: Isolation) => void,
  ) {
    this.#socket = socket;
    this.#place = place;
    this.#ready = ready;
    this.cacheFolder = place.cacheFolder;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#hear(text));
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    this.lost = new Promise((resolve) => {
      socket.on('close', () => {
        this.#isLost = true;
        const gone = new IsolateError(
          'isolate.lost',
          'The launcher is gone, and every job of this agent with it.',
        );
        for (const waiting of this.#waiting.values()) waiting.failed(gone);
        for (const slot of this.#forSet) for (const give of slot.splice(0)) give(null);
        this.#waiting.clear();
        resolve();
      });
    });
  }

  start(run: SlotRun): Promise<SlotStarted>;
  start(run: SlotRun, mayStart: () => boolean): Promise<SlotStarted | undefined>;
  async start(run: SlotRun, mayStart = (): boolean => true): Promise<SlotStarted | undefined> {
    const free = this.#freeSets[run.slot];
    if (free === undefined)
      throw new IsolateError(
        'isolate.refused',
        `There is no slot ${run.slot}: this machine has ${this.slots}.`,
      );
    const set = free.shift() ?? (await this.#waitForSet(run.slot));
    if (set === null || this.#isLost)
      throw new IsolateError('isolate.lost', 'The launcher is gone; nothing can be started.');
    let isAllowed = false;
    try {
      isAllowed = mayStart();
    } finally {
      if (!isAllowed) this.#giveSet(run.slot, set);
    }
    return isAllowed ? this.#send(run, set) : undefined;
  }

  cancel(started: SlotStarted, how: 'terminate' | 'kill'): void {
    const id = this.#ids.get(started);
    if (id !== undefined && this.#waiting.has(id)) this.#write({ do: 'cancel', id, how });
  }

  async close(): Promise<void> {
    if (!this.#isLost) this.#write({ do: 'close' });
    await this.lost;
  }

  #waitForSet(slot: number): Promise<number | null> {
    return new Promise((resolve) => this.#forSet[slot]?.push(resolve));
  }

  #send(run: SlotRun, set: number): SlotStarted {
    const id = this.#next++;
    const folder = `${this.#place.slotsFolder}/${run.slot}`;
    const running = Promise.withResolvers<number>();
    const ended = Promise.withResolvers<SlotEnd>();
    // Whoever awaits neither must not bring the agent down when the launcher goes.
    running.promise.catch(() => {});
    ended.promise.catch(() => {});
    let isReleased = false;
    let held: Promise<void> | undefined;
    const giveBack = (): void => this.#giveSet(run.slot, set);
    const started: SlotStarted = {
      slot: run.slot,
      set,
      stdoutFile: `${folder}/out${set}`,
      stderrFile: `${folder}/err${set}`,
      running: running.promise,
      ended: ended.promise,
      release: () => {
        if (isReleased || this.#waiting.has(id)) return;
        isReleased = true;
        if (held === undefined) giveBack();
        else void held.then(giveBack, giveBack);
      },
      holdBack: (until) => {
        held = until;
      },
    };
    this.#ids.set(started, id);
    this.#waiting.set(id, {
      slot: run.slot,
      set,
      running: running.resolve,
      ended: ({ hasOutputs, ...end }) => {
        running.resolve(end.endedMs - end.startedMs);
        ended.resolve({ ...end, outputsTar: hasOutputs ? `${folder}/tar${set}` : null });
      },
      failed: (error) => {
        running.reject(error);
        ended.reject(error);
      },
    });
    const inputs = run.inputs.map((input) => [input.path, input.digestHex, input.executable]);
    this.#write({ do: 'run', id, ...run, set, inputs });
    return started;
  }

  #giveSet(slot: number, set: number): void {
    const next = this.#forSet[slot]?.shift();
    if (next === undefined) this.#freeSets[slot]?.push(set);
    else next(set);
  }

  /** What one turn of the loop has to say goes out as one write. */
  #write(message: object): void {
    if (this.#toSend === '')
      setImmediate(() => {
        this.#socket.write(this.#toSend);
        this.#toSend = '';
      });
    this.#toSend += `${JSON.stringify(message)}\n`;
  }

  #hear(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) this.#take(JSON.parse(line) as FromLauncher);
  }

  #take(message: FromLauncher): void {
    if (message[0] === 'ready') {
      const { slots, runsPerSlot, offers } = message[1];
      this.slots = slots;
      this.runsPerSlot = runsPerSlot;
      this.offers = offers;
      this.#freeSets = Array.from({ length: slots }, () =>
        Array.from({ length: runsPerSlot }, (_, set) => set),
      );
      this.#forSet = Array.from({ length: slots }, () => []);
      this.#ready(this);
      return;
    }
    const waiting = this.#waiting.get(message[1]);
    if (waiting === undefined) return;
    if (message[0] === 'running') waiting.running(message[2]);
    else {
      this.#waiting.delete(message[1]);
      if (message[0] === 'ended') waiting.ended(message[2]);
      else {
        waiting.failed(new IsolateError('isolate.refused', `The launcher refused the run: ${message[2]}.`));
        this.#giveSet(waiting.slot, waiting.set);
      }
    }
  }
}
