import type { Program } from '../bring-program.ts';

/** Something else that people start many programs with, on one machine. */
export interface Peer {
  readonly name: string;
  /** How it was set up: the best that its documents offer for many short jobs. */
  readonly how: string;
  /** Slow ones start fewer, so that they do not take the whole time of a run. */
  readonly part: number;
  readonly programs: readonly Program[];
  /** Whether it comes from the npm registry, by `package.json` beside this file. */
  readonly isFromNpm?: boolean;
  open(place: PeerPlace): Promise<OpenedPeer>;
}

export interface PeerPlace {
  /** Empty, and removed afterwards. */
  readonly folder: string;
  readonly slots: number;
  /** Folder with `node_modules`; empty for those that need none. */
  readonly installed: string;
}

export interface OpenedPeer extends AsyncDisposable {
  /** Whose command lines name one of these are its programs: their CPU time counts. */
  readonly folders: readonly string[];
  /** Starts `/bin/true` so many times. @returns when each has ended and the peer has recorded that. */
  run(jobs: number): Promise<void>;
}
