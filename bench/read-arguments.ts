export interface BenchWish {
  readonly rounds: number;
  /** How much of the work is done: 1 is all of it. */
  readonly part: number;
  readonly topic: string;
  readonly isWritten: boolean;
}

export const USAGE = `npm run bench [-- --rounds N] [-- --quick] [-- --topic NAME] [-- --no-write]
  --rounds N     interleaved rounds (5)
  --quick        two rounds with a fifth of the jobs: to see that it runs, not to compare
  --topic NAME   end of the file names in bench/results (job-path)
  --no-write     print only`;

/** @returns a text that says what is wrong. */
export function readArguments(given: readonly string[]): BenchWish | string {
  let wish: BenchWish = { rounds: 5, part: 1, topic: 'job-path', isWritten: true };
  const rest = [...given];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === '--quick') wish = { ...wish, rounds: 2, part: 0.2 };
    else if (argument === '--no-write') wish = { ...wish, isWritten: false };
    else if (argument === '--rounds') {
      const rounds = Number(rest.shift());
      if (!Number.isSafeInteger(rounds) || rounds < 1) return `--rounds takes a number above 0\n${USAGE}`;
      wish = { ...wish, rounds };
    } else if (argument === '--topic') {
      const topic = rest.shift() ?? '';
      if (!/^[a-z0-9-]+$/.test(topic)) return `--topic takes small letters, digits and -\n${USAGE}`;
      wish = { ...wish, topic };
    } else return `${argument} is not known\n${USAGE}`;
  }
  return wish;
}
