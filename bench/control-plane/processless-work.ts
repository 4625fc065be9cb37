import type { JobsWish, Submitter } from '../run-jobs.ts';
import type { ProcesslessAgent } from './start-processless-agent.ts';

/** A server with one agent that starts nothing. */
export interface Processless {
  readonly submitter: Submitter;
  readonly agent: ProcesslessAgent;
}

/** Orders as for any agent; of what they ask for, only the receipt is made. */
export const processlessWork = (
  { identity }: ProcesslessAgent,
  jobs: number,
  perOrder: number,
): JobsWish => ({ agent: identity, profile: 'strict', argv: ['/bin/true'], jobs, perOrder });
