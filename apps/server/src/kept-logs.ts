export type LogStream = 'stdout' | 'stderr';
/** One stream of one attempt. */
export interface LogName {
  readonly job: string;
  readonly index: number;
  readonly attempt: number;
  readonly stream: LogStream;
}

/**
 * Logs on disk, a folder for each job. What comes while an attempt runs is appended to a file of its own; what comes
 * with the receipt is a record in the job's file `short`: thousands of short logs are one file and one sync.
 */
export interface KeptLogs {
  /** Appends where `offset` says; bytes that are here already are skipped. @returns how much is here then. */
  append(name: LogName, offset: number, bytes: Uint8Array, most: number): Promise<number>;
  /** Durable when it resolves. */
  keepShort(
    job: string,
    logs: readonly { readonly name: LogName; readonly bytes: Uint8Array }[],
  ): Promise<void>;
  /** Makes what was appended durable and says its digest; null without any. */
  seal(name: LogName): Promise<{ readonly size: number; readonly digest: string } | null>;
  /** The same bytes under another attempt's name. */
  adopt(from: LogName, to: LogName): Promise<void>;
  sizeOf(name: LogName): Promise<number>;
  read(name: LogName, offset: number): AsyncIterable<Uint8Array>;
  /** Says that there is more to read, and not what: the disk keeps it. @returns what ends it. */
  onGrown(name: LogName, listener: () => void): () => void;
  /** Bytes of all its logs. */
  sizeOfJob(job: string): Promise<number>;
  /** All logs of a job. @returns how many bytes went. */
  removeJob(job: string): Promise<number>;
}
