import { matchesGlob } from 'node:path';
import type { LeasedJob } from './leased-job.ts';

/** A job may promise only what the person who signed its order asked to get back. Null: it may. */
export function whyNotOutput({ verified, inputs }: LeasedJob, path: string): string | null {
  if (inputs.some((input) => input.path === path)) return 'it is an input of this job';
  return verified.order.outputs.patterns.some((pattern) => matchesGlob(path, pattern))
    ? null
    : 'the order has no pattern of outputs that matches it: writ run --out';
}
