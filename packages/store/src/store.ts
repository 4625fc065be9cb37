import type { AuditStore } from './audit/audit.ts';
import type { FileStore } from './files/files.ts';
import type { JobStore } from './jobs/jobs.ts';
import type { LeaseStore } from './leases/leases.ts';
import type { QueueStore } from './queues/queues.ts';
import type { RetentionStore } from './retention/retention.ts';
import type { TokenStore } from './tokens/tokens.ts';
import type { TrustStore } from './trust/trust.ts';

/**
 * What the store keeps, by subject. Every write is durable when its promise resolves, and its audit record stands in
 * the same transaction. Instants are milliseconds since 1970; they come from the caller, as all randomness does.
 * Envelopes are kept as given; whoever hands one in has judged it.
 */
export interface Store {
  readonly trust: TrustStore;
  readonly jobs: JobStore;
  readonly leases: LeaseStore;
  readonly files: FileStore;
  readonly tokens: TokenStore;
  readonly queues: QueueStore;
  readonly retention: RetentionStore;
  readonly audit: AuditStore;
  /** Bytes that the database keeps for its own next rows, beside what the disk has free. */
  reusableBytes(): Promise<number>;
  /** What the database says of itself, for people: `sqlite 3.50.4, journal wal, synchronous full`. */
  readonly database: string;
  /** Called after each commit with the jobs that it changed. The returned function ends it. */
  onJobsChanged(listener: (jobIds: readonly string[]) => void): () => void;
  /** Waits for what is queued, then closes. */
  close(): Promise<void>;
}
