import { cell, table } from '../markdown.ts';
import type { Safety, SafetyRound } from './measure-safety.ts';

export function showSafety({ jobs, everything, rounds }: Safety): string[] {
  const whole = rounds.get(everything) ?? [];
  const ratio = (
    all: readonly SafetyRound[],
    of: (safe: SafetyRound, other: SafetyRound) => number,
  ): string =>
    cell(
      all.flatMap((other, at) => {
        const safe = whole[at];
        return safe ? [of(safe, other)] : [];
      }),
      2,
    );
  return [
    '## The price of safety',
    `G11: ${jobs} times \`/bin/true\` in arrays, 8 slots, bare, by copies of the programs in which one thing is off. Ratios: everything on to that.`,
    table(
      ['', 'jobs/s', 'CPU ms a job', 'jobs/s, ratio', 'CPU a job, ratio'],
      [...rounds].map(([name, all]) => [
        name,
        cell(
          all.map((round) => round.perSecond),
          0,
        ),
        cell(
          all.map((round) => round.cpuMsPerJob),
          2,
        ),
        name === everything ? '' : ratio(all, (safe, other) => safe.perSecond / other.perSecond),
        name === everything ? '' : ratio(all, (safe, other) => safe.cpuMsPerJob / other.cpuMsPerJob),
      ]),
    ),
  ];
}
