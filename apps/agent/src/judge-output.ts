import { readOutputPatterns } from '@writ/contract';
import type { OutputPatterns } from '@writ/contract';
import type { LeasedJob } from './leased-job.ts';

/** Of an order, so that what its jobs ask costs a bounded time together. */
const read = new WeakMap<object, OutputPatterns>();

/** A job may promise only what the person who signed its order asked to get back. Null: it may. */
export function whyNotOutput({ verified, inputs }: LeasedJob, path: string): string | null {
  if (inputs.some((input) => input.path === path)) return 'it is an input of this job';
  switch (patternsOf(verified.order.outputs).matches(path)) {
    case true:
      return null;
    case false:
      return 'the order has no pattern of outputs that matches it: writ run --out';
    case undefined:
      return 'to compare what this order promised with its patterns has taken too long';
  }
}

function patternsOf(outputs: LeasedJob['verified']['order']['outputs']): OutputPatterns {
  const known = read.get(outputs);
  if (known) return known;
  const made = readOutputPatterns(outputs.patterns);
  // Orders with such patterns are refused before anything runs.
  if ('fault' in made) throw new TypeError(made.fault);
  read.set(outputs, made);
  return made;
}
