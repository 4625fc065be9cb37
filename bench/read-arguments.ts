/** What can be measured by itself. */
export const PARTS = [
  'start',
  'rest',
  'steps',
  'throughput',
  'latency',
  'control-plane',
  'depth',
  'files',
  'safety',
] as const;
export type Part = (typeof PARTS)[number];

export interface BenchWish {
  readonly rounds: number;
  /** How much of the work is done: 1 is all of it. */
  readonly part: number;
  readonly topic: string;
  readonly isWritten: boolean;
  readonly only: ReadonlySet<Part>;
  /** With files of 4 GiB. */
  readonly isBig: boolean;
}

export const USAGE = `npm run bench [-- --only NAME,…] [-- --rounds N] [-- --quick] [-- --big] [-- --topic NAME] [-- --no-write]
  --only NAME,…  ${PARTS.join(', ')} (all of them)
  --rounds N     interleaved rounds (5)
  --quick        two rounds with a fifth of the jobs: to see that it runs, not to compare
  --big          files of 4 GiB too, with the memory of server, agent and command line meanwhile
  --topic NAME   end of the file names in bench/results (job-path, or what --only names)
  --no-write     print only`;

/** @returns a text that says what is wrong. */
export function readArguments(given: readonly string[]): BenchWish | string {
  let wish: BenchWish = {
    rounds: 5,
    part: 1,
    topic: '',
    isWritten: true,
    only: new Set(PARTS),
    isBig: false,
  };
  const rest = [...given];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === '--quick') wish = { ...wish, rounds: 2, part: 0.2 };
    else if (argument === '--no-write') wish = { ...wish, isWritten: false };
    else if (argument === '--big') wish = { ...wish, isBig: true };
    else if (argument === '--only') {
      const names = (rest.shift() ?? '').split(',');
      const only = PARTS.filter((part) => names.includes(part));
      if (only.length !== names.length) return `--only takes ${PARTS.join(', ')}\n${USAGE}`;
      wish = { ...wish, only: new Set(only) };
    } else if (argument === '--rounds') {
      const rounds = Number(rest.shift());
      if (!Number.isSafeInteger(rounds) || rounds < 1) return `--rounds takes a number above 0\n${USAGE}`;
      wish = { ...wish, rounds };
    } else if (argument === '--topic') {
      const topic = rest.shift() ?? '';
      if (!/^[a-z0-9-]+$/.test(topic)) return `--topic takes small letters, digits and -\n${USAGE}`;
      wish = { ...wish, topic };
    } else return `${argument} is not known\n${USAGE}`;
  }
  const isAll = wish.only.size === PARTS.length;
  return { ...wish, topic: wish.topic || (isAll ? 'job-path' : [...wish.only].join('-')) };
}
