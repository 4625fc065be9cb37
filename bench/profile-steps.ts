import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { isProgram, type Process } from '@writ/testkit';

/** Share of a program's busy time that was spent in one file of ours, and in what it called outside of our files. */
export interface Step {
  readonly program: string;
  readonly step: string;
  readonly share: number;
}

/** Runs in a copy of a program: SIGUSR2 starts the profile, the second one writes it into the program's folder. */
export const PROFILER = `
  const { Session } = await import('node:inspector/promises');
  const { writeFileSync } = await import('node:fs');
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 500 });
  const said = (flag) => process.argv[process.argv.indexOf(flag) + 1];
  // Behind its wall a program stands in its folder, without one in the root.
  const own = process.argv.includes('--state') ? said('--state') + '/server' : said('--folder');
  const folder = process.cwd() === '/' ? own : process.cwd();
  let isRunning = false;
  process.on('SIGUSR2', () => {
    if (!isRunning) {
      isRunning = true;
      void session.post('Profiler.start');
      return;
    }
    void session.post('Profiler.stop').then(({ profile }) => {
      writeFileSync(folder + '/profile.json', JSON.stringify(profile));
    });
  });
`;

export interface Profiled {
  readonly program: 'server' | 'agent';
  /** Where the program's folder is seen from here. */
  readonly folder: string;
  readonly processes: () => readonly Process[];
}

const PATIENCE_MS = 10_000;

export async function profileSteps(
  profiled: readonly Profiled[],
  work: () => Promise<unknown>,
): Promise<Step[]> {
  for (const one of profiled) tell(one);
  await sleep(200);
  await work();
  for (const one of profiled) tell(one);
  const steps: Step[] = [];
  for (const { program, folder } of profiled) {
    const file = join(folder, 'profile.json');
    for (let waited = 0; !existsSync(file) && waited < PATIENCE_MS; waited += 50) await sleep(50);
    await sleep(200);
    const shares = sharesOf(JSON.parse(readFileSync(file, 'utf8')) as Profile);
    steps.push(...shares.map(([step, share]) => ({ program, step, share })));
  }
  return steps;
}

/** The program itself, not the bwrap around it. */
function tell({ program, processes }: Profiled): void {
  const found = processes().findLast((one) => isProgram(one, program));
  if (!found) throw new Error(`no process of the ${program} is found`);
  process.kill(found.pid, 'SIGUSR2');
}

export interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly hitCount?: number;
    readonly children?: readonly number[];
  }[];
}

const LEAST_SHARE = 0.01;

/** By file of ours, the largest first; what an own file calls in Node and in dependencies counts as its own. */
export function sharesOf({ nodes }: Profile): [step: string, share: number][] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const hits = new Map<string, number>();
  const roots = nodes.filter((node) => node.callFrame.functionName === '(root)');
  const waiting = roots.map((node) => ({ node, within: 'Node itself' }));
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { node } = next;
    const within = stepOf(node.callFrame) ?? next.within;
    if (within !== '(idle)') hits.set(within, (hits.get(within) ?? 0) + (node.hitCount ?? 0));
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child) waiting.push({ node: child, within });
    }
  }
  const total = [...hits.values()].reduce((sum, count) => sum + count, 0);
  return [...hits]
    .map(([step, count]): [string, number] => [step, count / Math.max(1, total)])
    .filter(([, share]) => share >= LEAST_SHARE)
    .toSorted(([, left], [, right]) => right - left);
}

function stepOf({ functionName, url }: { functionName: string; url: string }): string | undefined {
  if (functionName === '(idle)') return '(idle)';
  if (functionName === '(garbage collector)') return 'garbage collector';
  if (functionName === '(program)') return 'system calls and native code outside JavaScript';
  return /\/((?:apps|packages)\/[^/]+\/src\/.+)$/.exec(url)?.[1];
}
