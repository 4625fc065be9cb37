import process from 'node:process';
import { readdirSync, readFileSync } from 'node:fs';

export interface Process {
  readonly pid: number;
  readonly parent: number;
  /** Arguments, joined by spaces. */
  readonly line: string;
  /** CPU time of itself and of everything it started and waited for. */
  readonly cpuMs: number;
  /** Memory that is its own, and its share of what it shares. */
  readonly memoryBytes: number;
}

const TICKS_A_SECOND = 100;

/** Everything that runs now because of the programs whose command line names `folder`: they and what they started. */
export function readProcesses(folder: string): Process[] {
  // Reading how much memory a process has takes long: only of those asked for.
  return findProcesses(folder).map((one) => ({ ...one, memoryBytes: readMemory(one.pid) }));
}

/** The same without their memory, in a few milliseconds. */
export function findProcesses(folder: string): Omit<Process, 'memoryBytes'>[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
  const children = Map.groupBy(all, (one) => one.parent);
  const found = new Set<Found>();
  const waiting = all.filter((one) => one.pid !== process.pid && names(one.line, folder));
  for (let one = waiting.pop(); one; one = waiting.pop()) {
    if (found.has(one)) continue;
    found.add(one);
    waiting.push(...(children.get(one.pid) ?? []));
  }
  return [...found].toSorted((left, right) => left.pid - right.pid);
}

/** The folder itself or something in it, and not another folder whose name begins alike. */
const names = (line: string, folder: string): boolean =>
  ['/', ' '].some((end) => line.includes(`${folder}${end}`)) || line.endsWith(folder);

const FILES = {
  server: /\/(apps\/server\/src\/main\.ts|server\.js)( |$)/,
  agent: /\/(apps\/agent\/src\/main\.ts|agent\.js)( |$)/,
  launcher: /\/(apps\/agent\/src\/launcher\/main\.ts|launcher\.js)( |$)/,
} as const;

/** Whether a command line names that program, from its sources or as it is published: the program, or what stands around it. */
export const namesProgram = ({ line }: Pick<Process, 'line'>, program: keyof typeof FILES): boolean =>
  FILES[program].test(line);

/** The program itself, not the bwrap around it. */
export const isProgram = (one: Pick<Process, 'line'>, program: keyof typeof FILES): boolean =>
  /^\S*node /.test(one.line) && namesProgram(one, program);

export const cpuOf = (processes: readonly Process[]): number =>
  processes.reduce((sum, one) => sum + one.cpuMs, 0);

type Found = Omit<Process, 'memoryBytes'>;

function readProcess(pid: number): Found | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0);
    return {
      pid,
      parent: Number(fields[1]),
      line: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
      cpuMs: (ticks * 1000) / TICKS_A_SECOND,
    };
  } catch {
    return undefined;
  }
}

function readMemory(pid: number): number {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
  } catch {
    // Of another account, or gone.
    return 0;
  }
}
