import { cell, table } from '../markdown.ts';
import type { ControlPlane, ControlPlaneRound } from './measure-control-plane.ts';

export function showControlPlane({ jobs, rounds }: ControlPlane): string[] {
  const column = (all: readonly ControlPlaneRound[], of: (round: ControlPlaneRound) => number): string =>
    cell(all.map(of), 0);
  return [
    '## Without processes',
    `G5: ${jobs} tasks, leased, and ended by receipts that an agent signs one by one and the server verifies one by one; nothing is started. CPU time in microseconds a task.`,
    table(
      ['', 'tasks/s', 'server', 'one signature verified', 'server without it', 'the agent that only signs'],
      [...rounds].map(([name, all]) => [
        name,
        column(all, (round) => round.perSecond),
        column(all, (round) => round.cpuUsPerJob),
        column(all, (round) => round.signatureUs),
        column(all, (round) => round.cpuUsPerJob - round.signatureUs),
        column(all, (round) => round.agentCpuUsPerJob),
      ]),
    ),
  ];
}
