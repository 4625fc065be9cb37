import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Configuration } from './check-configuration.ts';
import type { LatencyRound } from './measure-latency.ts';
import type { Pair, Throughput } from './measure-throughput.ts';
import { spread, type Spread } from './statistics.ts';

export interface Results {
  readonly topic: string;
  readonly date: string;
  readonly machine: {
    readonly cores: number;
    readonly processor: string;
    readonly kernel: string;
    readonly memoryGib: number;
  };
  readonly wish: { readonly rounds: number; readonly part: number };
  readonly configuration: Configuration;
  readonly throughput: {
    readonly rounds: ReadonlyMap<string, readonly Throughput[]>;
    readonly pairs: readonly Pair[];
  };
  readonly latency: readonly { readonly name: string; readonly rounds: readonly LatencyRound[] }[];
  readonly startMs: readonly number[];
  readonly memory: readonly { readonly of: string; readonly bytes: number; readonly processes: number }[];
  readonly steps: readonly { readonly program: string; readonly step: string; readonly share: number }[];
  readonly notRun: readonly string[];
}

/** @returns the paths of the files. */
export function writeResults(folder: string, results: Results): string[] {
  mkdirSync(folder, { recursive: true });
  const name = join(folder, `${results.date}-${results.topic}`);
  writeFileSync(`${name}.md`, showResults(results));
  const { rounds } = results.throughput;
  const plain = { ...results, throughput: { ...results.throughput, rounds: Object.fromEntries(rounds) } };
  writeFileSync(`${name}.json`, `${JSON.stringify(plain, null, 2)}\n`);
  return [`${name}.md`, `${name}.json`];
}

export function showResults(results: Results): string {
  const { machine, configuration, throughput, latency } = results;
  const parts = [
    `# ${results.topic}, ${results.date}`,
    `${machine.cores} cores (${machine.processor}), ${machine.memoryGib} GiB, Linux ${machine.kernel}, Node ${configuration.node}. ${results.wish.rounds} interleaved rounds${results.wish.part < 1 ? `, with ${results.wish.part} of the jobs: too few to compare` : ''}. Each cell: median (min – max). Ratios are made within a round.`,
    '## What was on',
    list([
      `Writ ${configuration.writ}; ${configuration.database}`,
      `TLS: ${configuration.tls}`,
      `orders: ${configuration.orders}`,
      `receipts: ${configuration.receipts}`,
      `output: ${configuration.output}`,
      ...configuration.agents.map(
        ({ name, slots, profiles }) => `agent ${name}: ${slots} slots, ${profiles.join(', ')}`,
      ),
    ]),
    '## Throughput of `/bin/true`',
    table(
      ['', 'jobs/s', 'CPU ms a job'],
      [...throughput.rounds]
        .filter(([, rounds]) => rounds.length > 0)
        .map(([name, rounds]) => [
          name,
          cell(
            rounds.map((round) => round.perSecond),
            0,
          ),
          cell(
            rounds.flatMap((round) => round.cpuMsPerJob ?? []),
            2,
          ),
        ]),
    ),
    table(
      ['ratio', 'jobs/s', 'CPU a job'],
      throughput.pairs.map((pair) => [pair.title, ...ratiosOf(pair, throughput.rounds)]),
    ),
    '## One job on an idle system',
    table(
      [
        '',
        'p50 ms',
        'p99 ms',
        'F ms',
        'p50 / F',
        'p99 / F',
        'F is: start',
        'commit (×2)',
        'TLS round trip (×2)',
      ],
      latency.map(({ name, rounds }) => [
        name,
        cell(
          rounds.map((round) => round.p50Ms),
          2,
        ),
        cell(
          rounds.map((round) => round.p99Ms),
          2,
        ),
        cell(
          rounds.map((round) => round.floorMs),
          2,
        ),
        cell(
          rounds.map((round) => round.p50Ms / round.floorMs),
          2,
        ),
        cell(
          rounds.map((round) => round.p99Ms / round.floorMs),
          2,
        ),
        cell(
          rounds.map((round) => round.spawnMs),
          2,
        ),
        cell(
          rounds.map((round) => round.commitMs),
          2,
        ),
        cell(
          rounds.map((round) => round.roundTripMs),
          2,
        ),
      ]),
    ),
    '## Start and rest',
    list([
      `\`writ up --no-agent\` in an empty folder, until it listens and says so: ${cell(results.startMs, 0)} ms`,
      ...results.memory.map(
        ({ of, bytes, processes }) =>
          `${of} at rest: ${(bytes / 2 ** 20).toFixed(0)} MiB in ${processes} process${processes === 1 ? '' : 'es'}`,
      ),
    ]),
    ...(results.steps.length > 0
      ? [
          '## Where the time of server and agent goes',
          table(
            ['program', 'step', 'part of its CPU time'],
            results.steps.map(({ program, step, share }) => [program, step, `${(share * 100).toFixed(1)} %`]),
          ),
        ]
      : []),
    ...(results.notRun.length > 0 ? ['## Not run', list(results.notRun)] : []),
  ];
  return `${parts.join('\n\n')}\n`;
}

function ratiosOf(pair: Pair, rounds: ReadonlyMap<string, readonly Throughput[]>): string[] {
  const writ = rounds.get(pair.writ) ?? [];
  const limit = rounds.get(pair.limit) ?? [];
  const both = writ.flatMap((one, round) => {
    const other = limit[round];
    return other ? [{ one, other }] : [];
  });
  const cpu = both.flatMap(({ one, other }) =>
    one.cpuMsPerJob === undefined || other.cpuMsPerJob === undefined
      ? []
      : [one.cpuMsPerJob / other.cpuMsPerJob],
  );
  if (both.length === 0) return ['not run', 'not run'];
  return [
    cell(
      both.map(({ one, other }) => one.perSecond / other.perSecond),
      2,
    ),
    cell(cpu, 2),
  ];
}

function cell(values: readonly number[], digits: number): string {
  if (values.length === 0) return '–';
  const { min, median, max }: Spread = spread(values);
  return `**${median.toFixed(digits)}** (${min.toFixed(digits)} – ${max.toFixed(digits)})`;
}

const list = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join('\n');

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
