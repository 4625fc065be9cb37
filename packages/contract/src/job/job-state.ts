import type { EndReason } from './end-reasons.ts';
import type { RefusalCode } from './refusal-codes.ts';

/**
 * The only place that knows the order of states.
 *
 *   waiting ─→ leased ─→ running ─→ succeeded | failed | refused
 *      ↑         │           │
 *      ├─ returned, lost ────┘           (attempts left)
 *      └─→ expired | refused             (nobody may start it any more)
 *   waiting | leased | running ─→ cancelled
 *   leased | running ─→ unknown          (`--once`, and its agent vanished)
 */
export const TASK_STATES = [
  'waiting',
  'leased',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'expired',
  'refused',
  'unknown',
] as const;
export type TaskState = (typeof TASK_STATES)[number];

export const WAIT_REASONS = [
  'no_agent',
  'busy',
  'not_before',
  'approval',
  'queue_limit',
  'backoff',
  'held',
  'queue_paused',
  'drained',
] as const;
export type WaitReason = (typeof WAIT_REASONS)[number];

export const ATTEMPT_OUTCOMES = ['succeeded', 'failed', 'refused', 'returned', 'lost', 'cancelled'] as const;
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

const NEXT: Record<TaskState, readonly TaskState[]> = {
  waiting: ['leased', 'cancelled', 'expired', 'refused'],
  leased: ['running', 'waiting', 'succeeded', 'failed', 'refused', 'cancelled', 'expired', 'unknown'],
  running: ['succeeded', 'failed', 'refused', 'waiting', 'cancelled', 'expired', 'unknown'],
  succeeded: [],
  failed: [],
  cancelled: [],
  expired: [],
  refused: [],
  unknown: [],
};

export const mayBecome = (from: TaskState, to: TaskState): boolean => NEXT[from].includes(to);
export const hasEnded = (state: TaskState): boolean => NEXT[state].length === 0;

/** How many tasks of a job are in each state, kept in the same transaction as each change. */
export type TaskCounts = Readonly<Record<TaskState, number>>;

/** A job's state is computed from its tasks: the liveliest while any is alive, else the worst. */
export function jobState(counts: TaskCounts): TaskState {
  const order: readonly TaskState[] = [
    'running',
    'leased',
    'waiting',
    'unknown',
    'refused',
    'failed',
    'expired',
    'cancelled',
    'succeeded',
  ];
  return order.find((state) => counts[state] > 0) ?? 'succeeded';
}

export type AttemptEnd = { readonly outcome: AttemptOutcome; readonly because: EndReason | RefusalCode };

export interface RetryRule {
  readonly maxAttempts: number;
  readonly retryOnFailure: boolean;
  /** One agent, one attempt: if that agent vanishes nobody knows whether it ran. */
  readonly isOnce: boolean;
}

/** Refusals that say something about one agent, not about the order: another agent may well start it. */
const ABOUT_THE_AGENT: ReadonlySet<string> = new Set<RefusalCode>([
  'lease.not_mine',
  'lease.order_mismatch',
  'lease.stale',
  'order.format_unknown',
  'order.set_fork',
  'order.set_unknown',
  'set.stale',
  'order.not_yet',
  'order.purged',
  'order.before_witnessed',
  'machine.fact',
  'machine.label',
  'machine.not_named',
  'machine.excluded',
  'machine.profile',
  'machine.network',
  'machine.platform',
  'machine.queue',
  'machine.resources',
  'agent.rejoined',
  'owner.refuses',
  'replay.attempt_used',
  'replay.running',
  'input.unavailable',
  'replay.not_durable',
]);

export const isAboutTheAgent = (because: EndReason | RefusalCode): boolean => ABOUT_THE_AGENT.has(because);

/** Tried again there at once it would end in the same way, and all attempts would be used up in a moment. */
export const isNotForThatAgent = ({ outcome, because }: AttemptEnd): boolean =>
  (outcome === 'refused' && isAboutTheAgent(because)) || (outcome === 'failed' && because === 'sandbox');

/** What a task becomes when an attempt of it ends. Attempts count starts; work handed back unstarted is none. */
export function afterAttempt(end: AttemptEnd, attempt: number, rule: RetryRule): TaskState {
  const isAttemptLeft = attempt < rule.maxAttempts;
  switch (end.outcome) {
    case 'succeeded':
      return 'succeeded';
    case 'cancelled':
      return 'cancelled';
    case 'refused':
      return isAttemptLeft && isAboutTheAgent(end.because) ? 'waiting' : 'refused';
    case 'returned':
      return 'waiting';
    case 'lost':
      if (rule.isOnce) return 'unknown';
      return isAttemptLeft ? 'waiting' : 'failed';
    case 'failed':
      // An agent that could not isolate it is not the job's fault.
      return isAttemptLeft && (rule.retryOnFailure || end.because === 'sandbox') ? 'waiting' : 'failed';
  }
}
