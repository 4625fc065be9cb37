import { readFileSync } from 'node:fs';

export type Marks = {
  /** Programs that the machine must have, from `// needs: bubblewrap, strace`. */
  readonly needs: readonly string[];
  /** `// runs: alone` keeps other test files away, for tests that measure time. */
  readonly alone: boolean;
};

/** Reads what a test file says about itself in comments of its first ten lines. */
export function readMarks(file: string): Marks {
  const head = readFileSync(file, 'utf8').split('\n').slice(0, 10);
  const after = (mark: string): string[] =>
    head.filter((line) => line.startsWith(mark)).map((line) => line.slice(mark.length).trim());
  return {
    needs: after('// needs:').flatMap((line) => line.split(',').map((need) => need.trim())),
    alone: after('// runs:').includes('alone'),
  };
}
