import { type ArrayClause, firstIndex, isIndexOf, taskCount } from '@writ/contract';
import { CliError } from '../cli-error.ts';

const MOST = 10_000;

/** `1,3,5-8` */
export function readTasks(text: string): number[] {
  const indexes = new Set<number>();
  for (const part of text.split(',')) {
    const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    const first = Number(from);
    const last = Number(to ?? from);
    if (from === undefined || !Number.isSafeInteger(last) || last < first) {
      throw new CliError('usage.argument', `“${text}” names no tasks.`, 'Write 3, or 1,3,5-8.');
    }
    if (last - first + indexes.size >= MOST)
      throw new CliError('usage.argument', `“${text}” names more than ${MOST} tasks.`);
    for (let index = first; index <= last; index += 1) indexes.add(index);
  }
  return [...indexes].sort((a, b) => a - b);
}

/** @throws CliError when the job has no such task: nothing would be shown, and nobody would see why. */
export function requireTasks(job: string, array: ArrayClause, tasks: readonly number[] | null): void {
  const missing = tasks?.find((index) => !isIndexOf(array, index));
  if (missing === undefined) return;
  const first = firstIndex(array);
  throw noTask(job, missing, first, first + taskCount(array) - 1);
}

export function noTask(job: string, index: number, first: number, last: number): CliError {
  const has = first === last ? `Its only task is ${first}.` : `Its tasks are ${first}-${last}.`;
  return new CliError('selector.none', `Job ${job} has no task ${index}. ${has}`, `See: writ status ${job}`);
}
