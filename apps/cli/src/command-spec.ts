import type { Output } from './show/output.ts';
import type { Surroundings } from './surroundings.ts';

/** Values as they stand on the command line. */
export type Options = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

export interface Call {
  readonly args: readonly string[];
  readonly options: Options;
  /** What stands after `--`, word for word. */
  readonly rest: readonly string[];
  readonly output: Output;
  readonly surroundings: Surroundings;
  /** Every command there is, for `completion`. */
  readonly commands: readonly CommandSpec[];
}

/** @returns the exit code. */
export type Verb = (call: Call) => Promise<number>;

export interface CommandSpec {
  /** `agent list` */
  readonly name: string;
  readonly summary: string;
  /** As commander writes them: `<job>`, `[tasks]`, `[words...]`. */
  readonly args: string;
  /** `[flags, help]` as commander writes them. A flag whose help ends with `(repeatable)` may be given several times. */
  readonly options: readonly (readonly [string, string])[];
  readonly example: string;
  /** Fails with 125 where others fail with 1 to 6: its exit code is the job's. */
  readonly isJobsCode?: boolean;
  /** Talks to a server through a context. */
  readonly isRemote?: boolean;
  /** Prints no document of its own. */
  readonly hasNoJson?: boolean;
  readonly load: () => Promise<Verb>;
}

/** What every command takes. */
export const EVERYWHERE: readonly (readonly [string, string])[] = [
  ['--json', 'print one JSON document, or one a line for streams; shapes in docs/schemas'],
  ['-q, --quiet', 'print ids only'],
  ['--no-input', 'never ask: a question becomes an error'],
  ['-y, --yes', 'answer yes where a command would ask whether to go on'],
];
export const REMOTE: readonly (readonly [string, string])[] = [
  ['--context <name>', 'which cluster (the one chosen with “context use”)'],
];

export const optionsOf = (spec: CommandSpec): readonly (readonly [string, string])[] => [
  ...spec.options,
  ...(spec.isRemote === true ? REMOTE : []),
  ...(spec.hasNoJson === true ? [] : EVERYWHERE),
];
