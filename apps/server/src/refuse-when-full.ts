import { ServerError } from './server-error.ts';

/**
 * Refuses what would leave too little room on the disk. What runs already may use half of the reserve, so that it can
 * end; nothing `new` may.
 *
 * @throws ServerError `storage.full`
 */
export type RefuseWhenFull = (more: number, what: 'new' | 'running') => Promise<void>;

const RESERVE_BYTES = 512 * 1024 * 1024;
const RESERVE_PART = 0.1;

export function refuseWhenFullWith(
  freeBytes: () => Promise<{
    readonly free: number;
    readonly total: number;
    /** What the database can take without growing. */
    readonly reusable: number;
  }>,
  reserveBytes: number | undefined,
): RefuseWhenFull {
  return async (more, what) => {
    const { free, total, reusable } = await freeBytes();
    const whole = reserveBytes ?? Math.min(RESERVE_BYTES, total * RESERVE_PART);
    const reserve = what === 'new' ? whole : whole / 2;
    // What is only a record goes where removed records were.
    if (free - more >= reserve || (more === 0 && free + reusable >= reserve)) return;
    throw new ServerError(
      'storage.full',
      what === 'new'
        ? `The disk of this server is nearly full (${free} bytes are free). Nothing new is taken until there is room; what runs goes on. What may go: writ prune --dry-run.`
        : `The disk of this server is nearly full (${free} bytes are free). Try again when there is room.`,
    );
  };
}
