import { readlinkSync } from 'node:fs';
import type { Cgroup } from './cgroup.ts';
import { descendantsOf, hasLivingChild, inGroupOf, isAlive } from './process-tree.ts';
import { SlotLoop } from './slot-loop.ts';
import type { LoopCommand, LoopPlace } from './slot-loop.ts';

export interface HeldLoopPlace {
  readonly loop: LoopPlace;
  readonly cgroup: Cgroup | null;
  /** Whether the loop is the first process of a namespace, so that killing it kills all below. */
  readonly ownPidNamespace: boolean;
  readonly sleep: (ms: number) => Promise<void>;
  /** What bwrap said of the sandbox that it made last. */
  readonly sandboxStatus: () => string;
}

/** The loop of one slot, and a new one after each that had to be killed, once nothing of the old one lives. */
export class HeldLoop {
  readonly #place: HeldLoopPlace;
  #loop: SlotLoop;
  /** Between two loops there is nothing to kill; what comes next looks why it was stopped. */
  #isReplacing = false;
  #isClosed = false;
  /** Processes that stand in the cgroup while nothing runs: the loop and what holds it. */
  #basePopulation = 0;
  /** The shell itself, below whatever holds it. */
  #shell = 0;

  constructor(place: HeldLoopPlace) {
    this.#place = place;
    this.#loop = new SlotLoop(place.loop);
  }

  async open(): Promise<void> {
    if (!(await this.#loop.ready)) throw new Error('the loop did not start');
    this.#basePopulation = this.#place.cgroup?.processes().length ?? 0;
    this.#shell = this.#place.ownPidNamespace ? (descendantsOf(this.#loop.pid)[0]?.pid ?? 0) : this.#loop.pid;
  }

  get pid(): number {
    return this.#loop.pid;
  }

  get basePopulation(): number {
    return this.#basePopulation;
  }

  get isGone(): boolean {
    return this.#loop.isGone;
  }

  /** Whether there is a loop that could be killed. */
  get isKillable(): boolean {
    return !this.#loop.isGone && !this.#isReplacing;
  }

  /** Names of the namespaces that a sandbox of this slot is made from. */
  namespaces(): readonly string[] {
    return ['user', 'mnt', 'pid', 'ipc', 'net', 'uts', 'cgroup'].map((name) =>
      readlinkSync(`/proc/${this.#shell}/ns/${name}`),
    );
  }

  canGive(nofile: number): boolean {
    return this.#loop.canGive(nofile);
  }

  run(command: LoopCommand): Promise<number | null> {
    return this.#loop.run(command);
  }

  kill(): void {
    this.#loop.kill();
  }

  /** SIGTERM to the job itself: to bwrap it would end the sandbox at once. */
  terminateJob(isBare: boolean): void {
    const below = descendantsOf(this.#loop.pid);
    const depth = (this.#place.ownPidNamespace ? 1 : 0) + (isBare ? 0 : 2);
    let level = new Set([this.#loop.pid]);
    for (let n = 0; n < depth; n++)
      level = new Set(below.filter((each) => level.has(each.parent)).map((each) => each.pid));
    for (const { pid, parent } of below) if (level.has(parent)) terminate(pid);
  }

  /** @returns once nothing of the run lives; what does not go by itself is killed, and the loop with it. */
  async waitUntilDead(isBare: boolean): Promise<void> {
    if ((await this.#diedByItself(isBare)) && !this.#loop.isGone) return;
    this.#loop.kill();
    await this.#nothingLives();
  }

  async replace(): Promise<void> {
    this.#isReplacing = true;
    try {
      this.#loop.kill();
      await this.#nothingLives();
      if (this.#isClosed) return;
      this.#loop = new SlotLoop(this.#place.loop);
      await this.open();
    } finally {
      this.#isReplacing = false;
    }
  }

  /** Kills what runs; `close` is to follow. */
  stop(): void {
    this.#isClosed = true;
    this.#loop.kill();
  }

  async close(): Promise<void> {
    this.stop();
    await this.#nothingLives();
  }

  async #nothingLives(): Promise<void> {
    const { cgroup, sleep } = this.#place;
    await this.#loop.gone;
    for (let n = 0; n < 5000 && isAlive(this.#shell); n++) await sleep(1);
    for (let n = 0; n < 5000 && cgroup?.holdsMoreThan(0) === true; n++) await sleep(1);
  }

  async #diedByItself(isBare: boolean): Promise<boolean> {
    const { cgroup, ownPidNamespace, sandboxStatus, sleep } = this.#place;
    if (cgroup !== null || ownPidNamespace) {
      const isLeft = (): boolean =>
        cgroup === null ? hasLivingChild(this.#shell) : cgroup.holdsMoreThan(this.#basePopulation);
      // The namespace of a sandbox falls by itself, on a busy machine after a while; what a bare job left behind does not.
      for (let n = 0; isLeft(); n++) {
        if (isBare || n === mostLooks) return false;
        await sleep(Math.min(16, 1 + Math.floor(n / 4)));
      }
      return true;
    }
    if (isBare) return inGroupOf(this.#loop.pid).length <= 1;
    const first = Number(/"child-pid": (\d+)/.exec(sandboxStatus())?.[1] ?? 0);
    for (let n = 0; n < 5000 && first > 0 && isAlive(first); n++) await sleep(1);
    return true;
  }
}

/** About two seconds. */
const mostLooks = 150;

function terminate(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // It ended by itself.
  }
}
