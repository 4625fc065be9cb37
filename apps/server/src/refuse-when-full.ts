import { ServerError } from './server-error.ts';

/**
 * Refuses what would leave too little room on the disk. What runs already may use half of the reserve, so that it can
 * end; nothing `new` may, and no `record` in the database, which may go where removed records were.
 *
 * @throws ServerError `storage.full`
 */
export type RefuseWhenFull = (more: number, what: 'new' | 'record' | 'running') => Promise<void>;

export interface Room {
  readonly free: number;
  readonly total: number;
  /** What the database can take without growing. */
  readonly reusable: number;
}

const RESERVE_BYTES = 512 * 1024 * 1024;
const RESERVE_PART = 0.1;
/** A look is good for so long. */
const LOOK_MS = 1_000;

export function refuseWhenFullWith(
  monotonic: () => number,
  look: () => Promise<Room>,
  reserveBytes: number | undefined,
): RefuseWhenFull {
  let last: { readonly at: number; readonly found: Promise<Room>; taken: number } | null = null;
  const lookAnew = () => (last = { at: monotonic(), found: look(), taken: 0 });

  /** What was taken since the look counts as written: a second is long enough to fill a reserve. */
  const hasRoom = async (from: NonNullable<typeof last>, more: number, what: string): Promise<boolean> => {
    const { free, total, reusable } = await from.found;
    const whole = reserveBytes ?? Math.min(RESERVE_BYTES, total * RESERVE_PART);
    const reserve = what === 'running' ? whole / 2 : whole;
    const room = what === 'record' ? free + reusable : free;
    if (room - from.taken - more < reserve) return false;
    from.taken += more;
    return true;
  };

  return async (more, what) => {
    const known = last !== null && monotonic() - last.at <= LOOK_MS ? last : lookAnew();
    if (await hasRoom(known, more, what)) return;
    const fresh = lookAnew();
    if (await hasRoom(fresh, more, what)) return;
    const { free } = await fresh.found;
    throw new ServerError(
      'storage.full',
      what === 'running'
        ? `The disk of this server is nearly full (${free} bytes are free). Try again when there is room.`
        : `The disk of this server is nearly full (${free} bytes are free). Nothing new is taken until there is room; what runs goes on. What may go: writ prune --dry-run.`,
    );
  };
}
