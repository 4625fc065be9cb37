import { fork } from 'node:child_process';
import { join } from 'node:path';
import { totalOf, type Told, type Total } from './told.ts';

/** In a process of its own: modules get the simulated disk, and planted faults, where they are loaded. */
export function runSimulation(told: Told): Promise<Total> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, 'run-seeds.ts'), [JSON.stringify(told)], {
      // Many errors are made and caught again. Whoever looks at one seed sees where they come from.
      execArgv: told.isTraced ? [] : ['--stack-trace-limit=0', '--max-semi-space-size=32'],
    });
    let total: Total | undefined;
    child.on('message', (message) => {
      total = message as Total;
    });
    child.on('error', reject);
    child.on('exit', (code) =>
      total ? resolve(total) : reject(new Error(`the simulation ended with ${String(code)}`)),
    );
  });
}

/** These seeds, dealt out to so many processes. */
export async function runSimulations(from: number, to: number, processes: number): Promise<Total> {
  const all = Array.from({ length: processes }, (_, at) =>
    runSimulation({
      from: from + at,
      to,
      step: processes,
      mutant: null,
      isTraced: false,
      programs: false,
    }),
  );
  return totalOf(await Promise.all(all));
}
