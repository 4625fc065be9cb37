import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import type { Stats } from 'node:fs';

/** How a sandbox knows it. */
export const socketInside = '/writ/job.sock';
const longestPath = 100;
const folderMode = 0o710;

export interface JobSocketPlace {
  /** Where the agent listens: `<slot>.<set>`, each for one attempt at a time. The agent's, so nothing in it is believed. */
  readonly agentFolder: string;
  /** Account of the agent: a socket of anybody else is none of ours. Null: there is no agent's folder. */
  readonly agentUid: number | null;
  readonly slot: number;
  /** In the same file system as the agent's folder, written by the launcher alone. */
  readonly folder: string;
  /** The same folder by the name that the slot's account reaches. */
  readonly reached: string;
  readonly uid: number | null;
}

/**
 * The one name by which the running attempt of a slot reaches its agent. It is a link to the socket of the attempt's own
 * set of files, changed before each start: no attempt finds the socket of one that waits behind it or ended before it.
 */
export class JobSocket {
  /** What a bare job is told; short enough for an address. */
  readonly path: string;
  /** What a sandbox is made from. */
  readonly bound: string;
  readonly #place: JobSocketPlace;
  readonly #own: string;
  readonly #short: string | null;
  #isShown = false;

  constructor(place: JobSocketPlace) {
    this.#place = place;
    this.#own = `${place.folder}/job.sock`;
    this.bound = `${place.reached}/job.sock`;
    rmSync(place.folder, { recursive: true, force: true });
    this.#open(place.folder, () => mkdirSync(place.folder, { mode: folderMode }));
    this.#short = this.bound.length > longestPath ? mkdtempSync('/tmp/writ-') : null;
    if (this.#short !== null) {
      this.#open(this.#short, () => {});
      symlinkSync(this.bound, `${this.#short}/job.sock`);
    }
    this.path = this.#short === null ? this.bound : `${this.#short}/job.sock`;
  }

  /** True when the attempt with this set of files finds a socket. `link` follows no symbolic link at its end. */
  show(set: number): boolean {
    const { agentFolder, agentUid, slot } = this.#place;
    if (agentUid === null) return false;
    this.hide();
    try {
      linkSync(`${agentFolder}/${slot}.${set}`, this.#own);
    } catch {
      return false;
    }
    this.#isShown = true;
    if (isSocketOf(lstatSync(this.#own), agentUid)) return true;
    this.hide();
    return false;
  }

  remove(): void {
    this.hide();
    if (this.#short !== null) rmSync(this.#short, { recursive: true, force: true });
  }

  /** Its attempt is over. */
  hide(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    try {
      unlinkSync(this.#own);
    } catch {
      // Without root a bare job has the launcher's own account, and may have put something else there.
      rmSync(this.#own, { recursive: true, force: true });
    }
  }

  /** Passable for the slot's account alone, listed by nobody. */
  #open(folder: string, make: () => void): void {
    make();
    if (this.#place.uid !== null) chownSync(folder, 0, this.#place.uid);
    chmodSync(folder, folderMode);
  }
}

const isSocketOf = (found: Stats, uid: number): boolean => found.isSocket() && found.uid === uid;
