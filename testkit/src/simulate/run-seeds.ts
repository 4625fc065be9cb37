import process from 'node:process';
import { hookLoading, loadedFiles } from './load-hooks.ts';
import { MUTANTS } from './mutants.ts';
import type { SeedReport } from './simulate-seed.ts';
import { totalOf, type Told, type Total } from './told.ts';

const told: Told = JSON.parse(process.argv[2] ?? '');
hookLoading(told.mutant === null ? [] : (MUTANTS[told.mutant]?.edits ?? []));
// Only now: what it loads gets the simulated disk, and the planted faults.
if (told.programs) {
  await import('../../../apps/server/src/compose.ts');
  await import('../../../apps/agent/src/compose.ts');
  await import('../../../apps/agent/src/join/compose.ts');
  // The server loads it when it issues the first certificate.
  await import('@writ/trust/authority');
  process.send?.({ ...totalOf([]), files: [...loadedFiles].toSorted() } satisfies Total);
  process.exit();
}
const { openGround, simulateSeed } = await import('./simulate-seed.ts');

const ground = await openGround();
const totals: Total[] = [];
try {
  for (let seed = told.from; seed <= told.to; seed += told.step) {
    const report = await simulateSeed(seed, ground);
    totals.push(asTotal(report));
    if (told.mutant !== null && report.faults.length > 0) break;
  }
} finally {
  ground.close();
}
process.send?.({ ...totalOf(totals), files: [...loadedFiles].toSorted() } satisfies Total);

function asTotal({ seed, counts, faults, trace, injected }: SeedReport): Total {
  return {
    seeds: 1,
    lostLease: counts.lostLeases > 0 ? 1 : 0,
    lostAnswer: counts.lostAnswers > 0 ? 1 : 0,
    starts: counts.starts,
    stale: counts.stale,
    overlaps: counts.overlaps,
    kinds: Object.fromEntries(injected),
    failures: faults.length === 0 ? [] : [{ seed, faults, trace: trace.slice(-40) }],
    trace: told.isTraced ? trace : [],
    files: [],
  };
}
