import { bringProgram } from './bring-program.ts';
import type { Contestant } from './run-rounds.ts';
import { runProgram } from './run-program.ts';

export interface PeerResult {
  readonly perSecond: number;
}

interface Peer {
  readonly name: string;
  readonly package: string;
  readonly program: string;
  argv(slots: number): readonly [string, ...string[]];
  /** Slow ones start fewer, so that they do not take the whole time of a run. */
  readonly part: number;
}

const PEERS: readonly Peer[] = [
  {
    name: 'xargs -P',
    package: 'findutils',
    program: 'xargs',
    argv: (slots) => ['xargs', '-P', String(slots), '-n', '1', '/bin/true'],
    part: 0.4,
  },
  {
    // It keeps each job's output apart by itself, in temporary files.
    name: 'GNU parallel',
    package: 'parallel',
    program: 'parallel',
    argv: (slots) => ['parallel', '--will-cite', '-j', String(slots), '/bin/true'],
    part: 0.06,
  },
];

/** What people would use on one machine, installed where that is possible. */
export async function findPeers(
  slots: number,
  jobs: number,
  say: (line: string) => void,
): Promise<Contestant<PeerResult>[]> {
  const contestants: Contestant<PeerResult>[] = [];
  for (const peer of PEERS) {
    const name = `${peer.name}, ${slots} slots`;
    if (!(await bringProgram(peer.program, peer.package, say))) {
      contestants.push({ name, run: undefined, because: `${peer.program} is not installed` });
      continue;
    }
    const count = Math.max(1, Math.round(jobs * peer.part));
    const input = Array.from({ length: count }, (_, at) => `${at}\n`).join('');
    contestants.push({
      name,
      run: async () => {
        const start = performance.now();
        await runProgram(peer.argv(slots), input);
        return { perSecond: (count * 1000) / (performance.now() - start) };
      },
    });
  }
  return contestants;
}
