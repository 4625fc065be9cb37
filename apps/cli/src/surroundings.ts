import type { Readable, Writable } from 'node:stream';
import type { Settings } from './config/read-settings.ts';

/** What the program stands in: everything that is not its own comes in through here. */
export interface Surroundings {
  readonly settings: Settings;
  readonly cwd: string;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array;
  readonly wait: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
  /** Calls back at each Ctrl-C until disposed; meanwhile the program does not end by it. */
  readonly onInterrupt: (tell: () => void) => Disposable;
  readonly pid: number;
  /** The person's own, for what they asked to have written; everything else is private. */
  readonly umask: number;
}
