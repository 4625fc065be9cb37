export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Over the rounds of one run. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('there is no median of nothing');
  return { min: Math.min(...values), median: percentile(values, 50), max: Math.max(...values) };
}

/** Between the two nearest values where none stands at that place. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  const place = ((sorted.length - 1) * percent) / 100;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}
