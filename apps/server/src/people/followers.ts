import { ServerError } from '../server-error.ts';
import type { Caller } from './caller.ts';

/** Places for answers that go on: each costs this server a little for as long as its reader likes. */
export interface Followers {
  /** @returns what gives the place back. @throws ServerError `quota.exceeded` */
  enter(caller: Caller): () => void;
}

const MOST_OF_ONE = 256;
const MOST = 1_500;

export function openFollowers(): Followers {
  const counts = new Map<string, number>();
  let all = 0;
  return {
    enter({ actor, role }) {
      const mine = counts.get(actor) ?? 0;
      if (all >= MOST)
        throw new ServerError(
          'quota.exceeded',
          `${MOST} readers follow something on this server already. Try again later.`,
        );
      if (role !== 'socket' && mine >= MOST_OF_ONE)
        throw new ServerError(
          'quota.exceeded',
          `Your token follows ${mine} jobs or logs already. End some of them, then try again.`,
        );
      counts.set(actor, mine + 1);
      all += 1;
      let isIn = true;
      return () => {
        if (!isIn) return;
        isIn = false;
        all -= 1;
        const left = (counts.get(actor) ?? 1) - 1;
        if (left > 0) counts.set(actor, left);
        else counts.delete(actor);
      };
    },
  };
}
