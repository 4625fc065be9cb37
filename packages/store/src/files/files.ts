import type { By } from '../by.ts';

export interface FileRecord {
  readonly digest: string;
  readonly size: number;
  readonly lastUsed: number;
}
export interface FileStore {
  /** The bytes are on disk; this project has shown that it has them. */
  addFile(
    file: { readonly digest: string; readonly size: number },
    project: string,
    by: By,
  ): Promise<'added' | 'same' | 'conflict'>;
  /** Which of them this project may name. Others are unknown to it, whether they exist or not. */
  listKnown(digests: readonly string[], project: string): Promise<readonly FileRecord[]>;
  /** For what an accepted order (`input`) or receipt (`output`) of a job names. */
  useFiles(job: string, digests: readonly string[], as: 'input' | 'output', by: By): Promise<void>;
  /** Whether a job names the file, as either. */
  isUsedBy(job: string, digest: string): Promise<boolean>;
  /** Whether the job's order names it: who runs the job may read it. */
  isInputOf(job: string, digest: string): Promise<boolean>;
  readFile(digest: string): Promise<FileRecord | null>;
  /** It is used now. False when there is no such file. */
  touchFile(digest: string, now: number): Promise<boolean>;
}
