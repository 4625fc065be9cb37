import type { AgentView } from '@writ/contract';
import type { VerifiedStrip } from './verify-strips.ts';

/** A table of agents, and what running them side by side gained. */
export function showResults(
  strips: readonly VerifiedStrip[],
  agents: readonly Pick<AgentView, 'name' | 'megaflops'>[],
  took: { readonly wallMs: number; readonly cores: number },
): string[] {
  const rows = agents.map((agent) => {
    const own = strips.filter((strip) => strip.agent === agent.name);
    const profiles = new Set(own.map(({ predicate }) => predicate.profile ?? '–'));
    return [
      agent.name,
      agent.megaflops ? `${(agent.megaflops / 1000).toFixed(1)} GFLOPS` : '–',
      [...profiles].join(', ') || '–',
      String(own.length),
      seconds(timeOf(own)),
    ];
  });
  const sum = timeOf(strips);
  const cores = took.cores === 1 ? '1 core' : `${took.cores} cores`;
  return [
    ...table([['agent', 'measured speed', 'isolation', 'tasks done', 'computing'], ...rows]),
    `speed-up ${(sum / took.wallMs).toFixed(2)} on ${cores}: ${seconds(sum)} of computing in ${seconds(took.wallMs)}`,
  ];
}

/** Processor time, as the agents signed it: on a wall clock, tasks that wait for a core would count as work. */
const timeOf = (strips: readonly VerifiedStrip[]): number =>
  strips.reduce((total, { predicate: { resources } }) => total + (resources.cpuMs ?? resources.wallMs), 0);

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('   ')
      .trimEnd(),
  );
}
