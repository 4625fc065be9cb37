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
