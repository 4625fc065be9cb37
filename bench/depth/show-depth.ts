import { cell, table } from '../markdown.ts';
import type { Depth, DepthRound } from './measure-depth.ts';

const COLUMNS: readonly {
  readonly title: string;
  readonly of: (round: DepthRound) => number;
  readonly digits: number;
}[] = [
  { title: 'tasks/s', of: (round) => round.perSecond, digits: 0 },
  { title: 'server CPU µs a task', of: (round) => round.cpuUsPerJob, digits: 0 },
  { title: 'ms to submit 500', of: (round) => round.submitMs, digits: 2 },
  { title: 'ms for the first page of waiting jobs', of: (round) => round.firstPageMs, digits: 2 },
  { title: 'ms for a page in the middle', of: (round) => round.middlePageMs, digits: 2 },
  { title: 'ms for 50 tasks of a job', of: (round) => round.tasksPageMs, digits: 2 },
  { title: "server's MiB", of: (round) => round.memoryMib, digits: 0 },
];

export function showDepth({ tasks, rounds, shallow, deep }: Depth): string[] {
  const few = rounds.get(shallow) ?? [];
  const many = rounds.get(deep) ?? [];
  const ratio = (of: (round: DepthRound) => number): string =>
    cell(
      many.flatMap((round, at) => {
        const other = few[at];
        return other ? [of(round) / of(other)] : [];
      }),
      2,
    );
  return [
    '## Above many that wait',
    `G6: ${tasks} tasks in arrays of 500, above others in arrays of 100 that wait for the same agent with a lower priority; nothing is started.`,
    table(
      ['', ...COLUMNS.map(({ title }) => title)],
      [
        ...[...rounds].map(([name, all]) => [
          name,
          ...COLUMNS.map(({ of, digits }) => cell(all.map(of), digits)),
        ]),
        ['many / few', ...COLUMNS.map(({ of }) => ratio(of))],
      ],
    ),
  ];
}
