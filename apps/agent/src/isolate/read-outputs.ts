import type { Readable } from 'node:stream';

export interface OutputFile {
  readonly path: string;
  readonly bytes: number;
  readonly executable: boolean;
  /** Must be read to its end before the next file is asked for. */
  readonly content: Readable;
}

export interface OutputRules {
  readonly patterns: readonly string[];
  /** Paths of the job's inputs: what lies there is not an output. */
  readonly inputs: ReadonlySet<string>;
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/** Reads the tar of a finished attempt as hostile input. Throws an `IsolateError` with an `outputs.*` code. */
export declare function readOutputs(
  tarFile: string,
  rules: OutputRules,
): AsyncGenerator<OutputFile, void, void>;
