import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
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
import type { Peer } from './peer.ts';
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
export async function findPeers(
  slots: number,
  jobs: number,
  say: (line: string) => void,
): Promise<FoundPeer[]> {
  const found: FoundPeer[] = [];
  for (const peer of PEERS) {
    const name = `${peer.name}, ${slots} slots`;
    const brought = await bringPeer(peer, say);
    if ('because' in brought) {
      found.push({ peer, contestant: { name, run: undefined, because: brought.because } });
      continue;
    }
    const count = Math.max(slots, Math.round(jobs * peer.part));
    const run = (): Promise<PeerResult> => measurePeer(peer, slots, count, brought.installed);
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

async function measurePeer(peer: Peer, slots: number, count: number, installed: string): Promise<PeerResult> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-peer-'));
  try {
    await using opened = await peer.open({ folder, slots, installed });
    const cpu = (): number =>
      cpuOfEndedChildren() + cpuOf(opened.folders.flatMap((place) => readProcesses(place)));
    // Writ has run thousands before, and what it runs is compiled; so it is here.
    await opened.run(Math.max(slots, Math.round(count / 2)));
    const before = cpu();
    const start = performance.now();
    await opened.run(count);
    const wallMs = performance.now() - start;
    return { perSecond: (count * 1000) / wallMs, cpuMsPerJob: (cpu() - before) / count };
  } catch (cause) {
    throw new Error(`${peer.name}: ${(cause as Error).message}`, { cause });
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
