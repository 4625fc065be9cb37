import { cell, table } from '../markdown.ts';
import type { FilesOfSize, FilesRound } from './measure-files.ts';
import type { FilesMemory } from './measure-memory.ts';
import { MIB, PEER, WRIT } from './words.ts';

export interface Files {
  readonly sizes: readonly FilesOfSize[];
  readonly memory: FilesMemory;
}

export function showFiles({ sizes, memory }: Files): string[] {
  return [
    '## Files',
    'G8: digested, sent over TLS 1.3, digested again, and synced to the disk, by a client in this program; beside `sha256sum`, `curl` to nginx, `sha256sum` and `sync` there, and the same back. Files that the server has are not sent again: each round sees 0 bytes.',
    table(
      ['', 'up MiB/s', 'down MiB/s', 'CPU ms a MiB, both sides, there and back'],
      sizes.flatMap(({ name, rounds }) =>
        [...rounds].map(([who, all]) => [
          `${name}: ${who}`,
          column(all, (round) => round.upMibPerSecond, 0),
          column(all, (round) => round.downMibPerSecond, 0),
          column(all, (round) => round.cpuMsPerMib, 2),
        ]),
      ),
    ),
    table(
      ['ratio', 'up', 'down', 'CPU'],
      sizes.map(({ name, rounds }) => {
        const writ = rounds.get(WRIT) ?? [];
        const peer = rounds.get(PEER) ?? [];
        const ratio = (of: (round: FilesRound) => number): string =>
          peer.length === 0
            ? 'not run'
            : cell(
                writ.flatMap((round, at) => {
                  const other = peer[at];
                  return other ? [of(round) / of(other)] : [];
                }),
                2,
              );
        return [
          `G8 ${name}`,
          ratio((round) => round.upMibPerSecond),
          ratio((round) => round.downMibPerSecond),
          ratio((round) => round.cpuMsPerMib),
        ];
      }),
    ),
    'The most memory while an input, and the same bytes as an output, passed through a job, in MiB (VmHWM), by the size of the file.',
    table(
      ['program', 'step', ...memory.sizes.map((bytes) => `${bytes / MIB} MiB`), 'growth from least to most'],
      memory.held.map(({ program, step, mib }) => [
        program,
        step,
        ...mib.map((one) => one.toFixed(0)),
        ((mib.at(-1) ?? 0) - (mib[0] ?? 0)).toFixed(0),
      ]),
    ),
  ];
}

const column = (all: readonly FilesRound[], of: (round: FilesRound) => number, digits: number): string =>
  cell(all.map(of), digits);
