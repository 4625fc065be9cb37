import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cpuOf, readProcesses } from '@writ/testkit';
import { bringProgram } from '../bring-program.ts';
import { cpuOfEndedChildren } from '../cpu-of-ended-children.ts';
import type { Contestant } from '../run-rounds.ts';
import { bringNpmPeers } from './bring-npm-peers.ts';
import { bullmq } from './bullmq.ts';
import { gearman, storedGearman } from './gearman.ts';
import { gnuParallel } from './gnu-parallel.ts';
import { graphileWorker } from './graphile-worker.ts';
import type { Peer, PeerPlace } from './peer.ts';
import { pgBoss } from './pg-boss.ts';
import { taskSpooler } from './task-spooler.ts';
import { xargs } from './xargs.ts';

const PEERS: readonly Peer[] = [
  xargs,
  gnuParallel,
  gearman,
  storedGearman,
  taskSpooler,
  graphileWorker,
  bullmq,
  pgBoss,
];

export interface PeerResult {
  readonly perSecond: number;
  readonly cpuMsPerJob: number;
}

export interface FoundPeer {
  readonly peer: Peer;
  readonly contestant: Contestant<PeerResult>;
}

/** What people would use on one machine, installed where that is possible. */
export async function findPeers(wish: {
  readonly slots: number;
  readonly jobs: number;
  /** Each gets one of its own in it. */
  readonly folder: string;
  readonly say: (line: string) => void;
}): Promise<FoundPeer[]> {
  const { slots, jobs, say } = wish;
  const found: FoundPeer[] = [];
  for (const peer of PEERS) {
    const name = `${peer.name}, ${slots} slots`;
    const brought = await bringPeer(peer, say);
    if ('because' in brought) {
      found.push({ peer, contestant: { name, run: undefined, because: brought.because } });
      continue;
    }
    const count = Math.max(slots, Math.round(jobs * peer.part));
    const run = async (): Promise<PeerResult> => {
      const folder = mkdtempSync(join(wish.folder, 'peer-'));
      try {
        return await measurePeer(peer, { folder, slots, installed: brought.installed }, count);
      } finally {
        rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      }
    };
    found.push({ peer, contestant: { name, run } });
  }
  return found;
}

async function bringPeer(
  { programs, isFromNpm }: Peer,
  say: (line: string) => void,
): Promise<{ readonly installed: string } | { readonly because: string }> {
  for (const { program, package: name } of programs) {
    if (!(await bringProgram(program, name, say))) {
      return { because: `${program} is not installed; as root: apt-get install ${name}` };
    }
  }
  return isFromNpm ? await bringNpmPeers(say) : { installed: '' };
}

async function measurePeer(peer: Peer, place: PeerPlace, count: number): Promise<PeerResult> {
  try {
    await using opened = await peer.open(place);
    const cpu = (): number =>
      cpuOfEndedChildren() + cpuOf(opened.folders.flatMap((folder) => readProcesses(folder)));
    // Writ has run thousands before, and what it runs is compiled; so it is here.
    await opened.run(Math.max(place.slots, Math.round(count / 2)));
    const before = cpu();
    const start = performance.now();
    await opened.run(count);
    const wallMs = performance.now() - start;
    return { perSecond: (count * 1000) / wallMs, cpuMsPerJob: (cpu() - before) / count };
  } catch (cause) {
    throw new Error(`${peer.name}: ${(cause as Error).message}`, { cause });
  }
}
