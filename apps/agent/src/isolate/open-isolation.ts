import type { Isolation } from './isolation.ts';

export interface IsolationPlace {
  /** The descriptor of the socket to the launcher: 3 when `writ agent run` started this program. */
  readonly descriptor: number;
  /** Folders as this program sees them; the launcher knows its own names for them. */
  readonly slotsFolder: string;
  readonly cacheFolder: string;
}

export declare function openIsolation(place: IsolationPlace): Promise<Isolation>;
