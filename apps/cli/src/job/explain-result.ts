import { explainBecause } from '../explain/explain-error.ts';
import { printable } from '../show/printable.ts';
import type { TaskResult } from './result-document.ts';

/** Why a task did not succeed, in this program's own words; what the agent said is quoted. */
export function explainResult(task: TaskResult): string[] {
  const { what, why, next } = explainBecause(task.because);
  const lines = [
    `${task.kind === 'refused' ? 'refused' : 'ended'} by ${task.agent}: ${what} ${why} [${task.because}]`,
  ];
  if (task.detail !== '') lines.push(`  the agent says: “${printable(task.detail)}”`);
  lines.push(`  → ${next}`);
  return lines;
}

/** Whether the exit code alone says what happened. */
export const isPlainExit = (task: TaskResult): boolean => task.kind !== 'refused' && task.because === 'exit';
