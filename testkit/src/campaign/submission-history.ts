import { closeSync, fdatasync, openSync, readFileSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';

/** What a submitter did and was told, in the order in which it happened. */
export interface SubmissionLine {
  /** `failed`: there was no answer, so whether the job exists is unknown. */
  readonly is: 'asked' | 'failed' | 'told';
  readonly job: string;
  /** Of the order. */
  readonly digest: string;
  readonly tasks: number;
  /** Milliseconds since 1970. */
  readonly time: number;
}

export interface Submission extends Pick<SubmissionLine, 'job' | 'digest' | 'tasks'> {
  readonly asked: number;
  readonly failed: readonly number[];
  /** When it was acknowledged for the first time. */
  readonly told: number | null;
}

export interface SubmissionHistory {
  /** It is on the disk when this resolves. */
  write(line: Omit<SubmissionLine, 'time'>): Promise<void>;
  close(): void;
}

const sync = promisify(fdatasync);

export function openSubmissions(file: string): SubmissionHistory {
  const descriptor = openSync(file, 'a', 0o600);
  return {
    async write(line) {
      writeSync(descriptor, `${JSON.stringify({ ...line, time: Date.now() } satisfies SubmissionLine)}\n`);
      await sync(descriptor);
    },
    close: () => closeSync(descriptor),
  };
}

export function readSubmissions(file: string): Submission[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  const byJob = Map.groupBy(
    lines.map((line) => JSON.parse(line) as SubmissionLine),
    ({ job }) => job,
  );
  return [...byJob.values()].flatMap((all) => {
    const [first] = all;
    if (!first) return [];
    const timesOf = (is: SubmissionLine['is']): number[] =>
      all.filter((line) => line.is === is).map(({ time }) => time);
    return [
      {
        job: first.job,
        digest: first.digest,
        tasks: first.tasks,
        asked: first.time,
        failed: timesOf('failed'),
        told: timesOf('told')[0] ?? null,
      },
    ];
  });
}
