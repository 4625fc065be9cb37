import { availableParallelism } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { MUTANTS } from './mutants.ts';
import { runSimulation, runSimulations } from './run-simulation.ts';
import { totalOf, type Total } from './told.ts';

/** What is told in between comes after so many. */
const AT_ONCE = 1_000;
const USAGE = 'npm run simulate -- [--seeds NUMBER] [--seed NUMBER] [--mutants] [--processes NUMBER]';

const wish = readWish();
const processes = wish.processes ?? availableParallelism();
if (wish.isMutants) await findMutants(wish.seeds ?? 2_000);
else if (wish.seed !== undefined) await showSeed(wish.seed);
else await runSeeds(wish.seeds ?? 20_000);

function readWish() {
  const text = { type: 'string' } as const;
  const number = (name: string, given: string | undefined): number | undefined => {
    if (given === undefined || /^[1-9]\d{0,8}$/.test(given))
      return given === undefined ? given : Number(given);
    throw new TypeError(`--${name} is a whole number from 1 on, not “${given}”.`);
  };
  try {
    const { values } = parseArgs({
      options: { seeds: text, seed: text, mutants: { type: 'boolean', default: false }, processes: text },
    });
    return {
      seeds: number('seeds', values.seeds),
      seed: number('seed', values.seed),
      processes: number('processes', values.processes),
      isMutants: values.mutants,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exit(2);
  }
}

async function runSeeds(most: number): Promise<void> {
  const totals: Total[] = [];
  for (let from = 1; from <= most; from += AT_ONCE) {
    const to = Math.min(most, from + AT_ONCE - 1);
    totals.push(await runSimulations(from, to, processes));
    if (to < most) console.log(`${to} of ${most}: ${totalOf(totals).failures.length} failed`);
  }
  const total = totalOf(totals);
  console.log(sentence(total));
  for (const failure of total.failures) {
    console.log(`\nseed ${failure.seed}: ${failure.faults.join('; ')}`);
    console.log(failure.trace.slice(-25).join('\n'));
    console.log(`again, with the whole trace: npm run simulate -- --seed ${failure.seed}`);
  }
  if (total.failures.length > 0) process.exitCode = 1;
}

async function showSeed(seed: number): Promise<void> {
  const total = await runSimulation({
    programs: false,
    from: seed,
    to: seed,
    step: 1,
    mutant: null,
    isTraced: true,
  });
  for (const line of total.trace) console.log(line);
  console.log(sentence(total));
  if (total.failures.length > 0) process.exitCode = 1;
}

async function findMutants(most: number): Promise<void> {
  const waiting = MUTANTS.map((_, at) => at);
  const next = async (): Promise<void> => {
    for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
      const total = await runSimulation({
        programs: false,
        from: 1,
        to: most,
        step: 1,
        mutant: at,
        isTraced: false,
      });
      const [found] = total.failures;
      const name = MUTANTS[at]?.name ?? '';
      if (!found) process.exitCode = 1;
      console.log(
        found
          ? `${String(found.seed).padStart(5)}  ${name}: ${found.faults[0] ?? ''}`
          : `  NOT FOUND in ${most} seeds: ${name}`,
      );
    }
  };
  await Promise.all(Array.from({ length: processes }, next));
}

function sentence({ seeds, lostLease, lostAnswer, starts, stale, overlaps, failures, kinds }: Total): string {
  const share = (count: number): string => `${((count / Math.max(1, seeds)) * 100).toFixed(0)} %`;
  const injected = Object.entries(kinds)
    .toSorted(([, one], [, other]) => other - one)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ');
  return `${seeds} seeds, ${failures.length} failed; a lease really lost in ${share(lostLease)} of them, an answer in ${share(lostAnswer)}; ${starts} starts, ${stale} late results refused, ${overlaps} overlaps within the bound\ninjected: ${injected}`;
}
