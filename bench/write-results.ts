import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Configuration } from './check-configuration.ts';
import type { LatencyRound } from './measure-latency.ts';
import type { ControlPlane } from './control-plane/measure-control-plane.ts';
import { showControlPlane } from './control-plane/show-control-plane.ts';
import type { Depth } from './depth/measure-depth.ts';
import { showDepth } from './depth/show-depth.ts';
import { type Files, showFiles } from './files/show-files.ts';
import { cell, list, table } from './markdown.ts';
import type { Safety } from './safety/measure-safety.ts';
import { showSafety } from './safety/show-safety.ts';
import type { Pair, SetUp, Throughput } from './measure-throughput.ts';

/** What was not asked for is left out. */
export interface Results {
  readonly topic: string;
  readonly date: string;
  readonly machine: {
    readonly cores: number;
    readonly processor: string;
    readonly kernel: string;
    readonly memoryGib: number;
    readonly node: string;
  };
  readonly wish: { readonly rounds: number; readonly part: number };
  readonly configuration?: Configuration;
  readonly throughput?: {
    readonly rounds: ReadonlyMap<string, readonly Throughput[]>;
    readonly pairs: readonly Pair[];
    readonly peers: readonly SetUp[];
  };
  readonly latency?: readonly { readonly name: string; readonly rounds: readonly LatencyRound[] }[];
  readonly controlPlane?: ControlPlane;
  readonly depth?: Depth;
  readonly files?: Files;
  readonly safety?: Safety;
  readonly startMs?: readonly number[];
  readonly memory?: readonly { readonly of: string; readonly bytes: number; readonly processes: number }[];
  readonly steps?: readonly { readonly program: string; readonly step: string; readonly share: number }[];
  readonly notRun: readonly string[];
}

/** @returns the paths of the files. */
export function writeResults(folder: string, results: Results): string[] {
  mkdirSync(folder, { recursive: true });
  const name = join(folder, `${results.date}-${results.topic}`);
  writeFileSync(`${name}.md`, showResults(results));
  // A map is nothing in JSON.
  const plain = JSON.stringify(
    results,
    (_, value: unknown) => (value instanceof Map ? Object.fromEntries(value) : value),
    2,
  );
  writeFileSync(`${name}.json`, `${plain}\n`);
  return [`${name}.md`, `${name}.json`];
}

export function showResults(results: Results): string {
  const { machine, wish } = results;
  const parts = [
    `# ${results.topic}, ${results.date}`,
    `${machine.cores} cores (${machine.processor}), ${machine.memoryGib} GiB, Linux ${machine.kernel}, Node ${machine.node}. ${wish.rounds} interleaved rounds${wish.part < 1 ? `, with ${wish.part} of the jobs: too few to compare` : ''}. Each cell: median (min – max). Ratios are made within a round.`,
    ...(results.configuration ? showConfiguration(results.configuration) : []),
    ...(results.throughput ? showThroughput(results.throughput) : []),
    ...(results.latency ? showLatency(results.latency) : []),
    ...(results.controlPlane ? showControlPlane(results.controlPlane) : []),
    ...(results.depth ? showDepth(results.depth) : []),
    ...(results.files ? showFiles(results.files) : []),
    ...(results.safety ? showSafety(results.safety) : []),
    ...showStartAndRest(results),
    ...(results.steps ? showSteps(results.steps) : []),
    ...(results.notRun.length > 0 ? ['## Not run', list(results.notRun)] : []),
  ];
  return `${parts.join('\n\n')}\n`;
}

const showConfiguration = (configuration: Configuration): string[] => [
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
];

const showThroughput = ({ rounds, pairs, peers }: NonNullable<Results['throughput']>): string[] => [
  '## Throughput of `/bin/true`',
  table(
    ['', 'jobs/s', 'CPU ms a job'],
    [...rounds]
      .filter(([, own]) => own.length > 0)
      .map(([name, own]) => [
        name,
        cell(
          own.map((round) => round.perSecond),
          0,
        ),
        cell(
          own.flatMap((round) => round.cpuMsPerJob ?? []),
          2,
        ),
      ]),
  ),
  table(
    ['ratio', 'jobs/s', 'CPU a job'],
    pairs.map((pair) => [pair.title, ...ratiosOf(pair, rounds)]),
  ),
  ...(peers.length > 0
    ? ['How the peers were set up:', list(peers.map(({ name, how }) => `${name}: ${how}`))]
    : []),
];

const showLatency = (latency: NonNullable<Results['latency']>): string[] => {
  const column = (rounds: readonly LatencyRound[], of: (round: LatencyRound) => number): string =>
    cell(rounds.map(of), 2);
  return [
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
        column(rounds, (round) => round.p50Ms),
        column(rounds, (round) => round.p99Ms),
        column(rounds, (round) => round.floorMs),
        column(rounds, (round) => round.p50Ms / round.floorMs),
        column(rounds, (round) => round.p99Ms / round.floorMs),
        column(rounds, (round) => round.spawnMs),
        column(rounds, (round) => round.commitMs),
        column(rounds, (round) => round.roundTripMs),
      ]),
    ),
  ];
};

function showStartAndRest({ startMs, memory = [] }: Results): string[] {
  const start = startMs
    ? [`\`writ up --no-agent\` in an empty folder, until it listens and says so: ${cell(startMs, 0)} ms`]
    : [];
  const rest = memory.map(
    ({ of, bytes, processes }) =>
      `${of} at rest: ${(bytes / 2 ** 20).toFixed(0)} MiB in ${processes} process${processes === 1 ? '' : 'es'}`,
  );
  return start.length + rest.length > 0 ? ['## Start and rest', list([...start, ...rest])] : [];
}

const showSteps = (steps: NonNullable<Results['steps']>): string[] => [
  '## Where the time of server and agent goes',
  table(
    ['program', 'step', 'part of its CPU time'],
    steps.map(({ program, step, share }) => [program, step, `${(share * 100).toFixed(1)} %`]),
  ),
];

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
