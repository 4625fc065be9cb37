import type { Effect } from '../effect-log.ts';

export const ROLES = ['server', 'agent', 'launcher', 'postmaster'] as const;
export type Role = (typeof ROLES)[number];

/** One SIGKILL, and what it could hurt. Times are milliseconds since 1970. */
export interface Kill {
  readonly role: Role;
  /** Name of the agent; of the others there is one. */
  readonly victim: string;
  /** Identity key of the agent. */
  readonly identity: string | null;
  readonly at: number;
  /** What ran then: of an agent or launcher on that agent, else anywhere. */
  readonly running: readonly Effect[];
  /** Submissions that had been sent and not answered. */
  readonly unanswered: number;
  /** When it had been started again: of a server or PostgreSQL until it answers. */
  readonly back: number | null;
}

const isOfAnAgent = ({ role }: Pick<Kill, 'role'>): boolean => role === 'agent' || role === 'launcher';

/** What ran and was ended by it. */
export const hurtBy = (kill: Kill): Effect[] => kill.running.filter(({ isDone }) => !isDone);

/**
 * An agent or launcher took work with it: a task that ran there never came to its end. A server or PostgreSQL was
 * killed while tasks ran whose leases and results are kept there, or while somebody waited for an acknowledgement.
 */
export const isEffective = (kill: Kill): boolean =>
  isOfAnAgent(kill) ? hurtBy(kill).length > 0 : kill.running.length > 0 || kill.unanswered > 0;

/** A task may still come to its end in the moment in which its launcher hears of it. */
export const isSettled = ({ running }: Kill): boolean => running.every(({ isAlive }) => !isAlive);
