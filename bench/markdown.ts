import { spread } from './statistics.ts';

/** Median and extremes of the rounds. */
export function cell(values: readonly number[], digits: number): string {
  if (values.length === 0) return '–';
  const { min, median, max } = spread(values);
  return `**${median.toFixed(digits)}** (${min.toFixed(digits)} – ${max.toFixed(digits)})`;
}

export const list = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join('\n');

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
