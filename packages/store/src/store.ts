import type {
  AttemptOutcome,
  EndReason,
  Envelope,
  RefusalCode,
  TaskCounts,
  TaskState,
  Token,
} from '@writ/contract';

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

/** Who does it, from where, and when. */
export interface By {
  readonly actor: string;
  readonly source: string;
  readonly now: number;
}

/** `after` is the `next` of the page before; null for the first page. */
export interface PageAsked {
  readonly after: string | null;
  readonly limit: number;
}
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

// ── trust ────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface ClusterRecord {
  readonly cluster: string;
  readonly serverName: string;
  readonly epoch: number;
  readonly claimed: number;
}
export interface SetRecord {
  readonly version: number;
  readonly digest: string;
  readonly envelope: Envelope;
  /** When this server took it. */
  readonly added: number;
}
export interface FreshnessRecord {
  readonly setVersion: number;
  readonly setDigest: string;
  readonly time: number;
  readonly envelope: Envelope;
}
export interface NewInvite {
  readonly digest: string;
  readonly inviteKey: string;
  readonly role: string;
  readonly name: string | null;
  readonly until: number;
  readonly envelope: Envelope;
}
export interface InviteRecord extends NewInvite {
  readonly created: number;
  readonly revoked: number | null;
  /** The admission that used it. */
  readonly admission: string | null;
}
export interface NewAdmission {
  readonly digest: string;
  readonly identity: string;
  readonly name: string;
  /** Digest of the invite that it uses up; null when admitted by hand or by network. */
  readonly invite: string | null;
  readonly supersedes: string | null;
  readonly envelope: Envelope;
}
export interface AdmissionRecord extends NewAdmission {
  readonly admitted: number;
  readonly supersededBy: string | null;
  readonly inviteEnvelope: Envelope | null;
}
export type AdmitAnswer =
  | { readonly is: 'admitted' | 'same'; readonly admission: AdmissionRecord }
  /** `invite_used`: another key came under this invite; an alarm stands in the audit trail. */
  | {
      readonly is:
        | 'invite_unknown'
        | 'invite_used'
        | 'invite_revoked'
        | 'invite_over'
        | 'name_taken'
        | 'identity_taken'
        | 'supersedes_unknown';
    };

export type AgentState = 'active' | 'banned' | 'evicted';
export interface AgentRecord {
  readonly identity: string;
  readonly name: string;
  /** Digest of its present admission. */
  readonly admission: string;
  readonly state: AgentState;
  readonly reason: string | null;
  readonly description: Envelope | null;
  readonly lastSeen: number | null;
  /** Number of the highest receipt of its chain that is stored here. */
  readonly receiptSeq: number;
  readonly tasksDone: number;
  /** Gets nothing new. */
  readonly isDrained: boolean;
}
export type LeafState = 'active' | 'replaced' | 'revoked';
export interface NewLeaf {
  readonly serial: string;
  readonly identity: string;
  readonly tlsKeyDigest: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Serial that it follows; null for the first of an identity, or after an expired one. */
  readonly previous: string | null;
  /** Leaf first, then the issuing certificate: DER in base64. */
  readonly chain: readonly string[];
}
export interface LeafRecord extends NewLeaf {
  readonly state: LeafState;
}

export interface TrustStore {
  readCluster(): Promise<ClusterRecord | null>;
  /** Makes the cluster with its set 1. The same again is `same`; another one is `claimed_already`. */
  claimCluster(asked: {
    readonly cluster: string;
    readonly serverName: string;
    readonly setDigest: string;
    readonly set: Envelope;
    readonly by: By;
  }): Promise<{ readonly is: 'claimed' | 'same' | 'claimed_already'; readonly cluster: ClusterRecord }>;
  /** After a restore: tokens of the epoch before count for nothing. */
  beginEpoch(by: By): Promise<number>;

  /** `conflict` unless `after` is the newest version (a set signed by the recovery key may skip versions). */
  addSet(asked: {
    readonly after: number;
    readonly version: number;
    readonly digest: string;
    readonly envelope: Envelope;
    readonly by: By;
  }): Promise<'added' | 'same' | 'conflict'>;
  newestSet(): Promise<SetRecord | null>;
  /** Oldest first, at most `limit` (1000). */
  listSets(afterVersion: number, limit?: number): Promise<readonly SetRecord[]>;
  /** Only the newest time counts. */
  leaveFreshness(asked: FreshnessRecord & { readonly by: By }): Promise<'newer' | 'older'>;
  readFreshness(): Promise<FreshnessRecord | null>;

  addInvite(invite: NewInvite, by: By): Promise<'added' | 'same' | 'conflict'>;
  readInvite(digest: string): Promise<InviteRecord | null>;
  findInvite(inviteKey: string): Promise<InviteRecord | null>;
  listInvites(page: PageAsked): Promise<Page<InviteRecord>>;
  /** False when there is no such open invite. */
  revokeInvite(digest: string, by: By): Promise<boolean>;

  /** Uses the invite up, makes or renames the agent, supersedes what `supersedes` names: all or nothing, and repeatable. */
  admit(admission: NewAdmission, by: By): Promise<AdmitAnswer>;
  readAdmission(digest: string): Promise<AdmissionRecord | null>;
  /** The present one of an identity. */
  findAdmission(identity: string): Promise<AdmissionRecord | null>;
  /** The present one of that name. */
  findAdmissionOf(name: string): Promise<AdmissionRecord | null>;
  /** Superseded ones too: what verifies a receipt must stay readable. */
  listAdmissions(page: PageAsked): Promise<Page<AdmissionRecord>>;
  readAdmissions(digests: readonly string[]): Promise<readonly AdmissionRecord[]>;

  readAgent(identity: string): Promise<AgentRecord | null>;
  findAgent(name: string): Promise<AgentRecord | null>;
  listAgents(page: PageAsked): Promise<Page<AgentRecord>>;
  describeAgent(identity: string, description: Envelope, by: By): Promise<boolean>;
  /** Many agents at once; not audited. */
  markSeen(identities: readonly string[], now: number): Promise<void>;
  /** `evicted` is for ever and frees the name. False when there is no such agent or it is evicted. */
  setAgentState(identity: string, state: AgentState, reason: string | null, by: By): Promise<boolean>;
  drainAgent(identity: string, isDrained: boolean, by: By): Promise<void>;
  /** Identity keys. */
  listDrained(): Promise<readonly string[]>;
  /** Identities that may not act now: feeds the check on each request. */
  listStopped(): Promise<readonly { readonly identity: string; readonly state: AgentState }[]>;

  /** The same identity, TLS key and previous serial again gives the leaf made the first time. `stale`: `previous` is not its active leaf. */
  addLeaf(
    leaf: NewLeaf,
    by: By,
  ): Promise<{ readonly is: 'added' | 'same'; readonly leaf: LeafRecord } | { readonly is: 'stale' }>;
  readLeaf(serial: string): Promise<LeafRecord | null>;
  findLeaf(asked: {
    readonly identity: string;
    readonly tlsKeyDigest: string;
    readonly previous: string | null;
  }): Promise<LeafRecord | null>;
  activeLeaf(identity: string): Promise<LeafRecord | null>;
  revokeLeaf(serial: string, by: By): Promise<boolean>;
}

// ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface NewJob {
  readonly id: string;
  /** Digest of the order. */
  readonly digest: string;
  readonly envelope: Envelope;
  readonly person: string;
  readonly project: string;
  readonly queue: string;
  /** Requirement class: canonical JSON made by the dispatch; see {@link JobStore.classId}. */
  readonly class: number;
  readonly priority: number;
  readonly firstIndex: number;
  readonly size: number;
  readonly maxAttempts: number;
  readonly retryOnFailure: boolean;
  readonly isOnce: boolean;
  readonly notBefore: number | null;
  readonly notAfter: number;
  /** Nothing of it is leased before it is released. */
  readonly isHeld: boolean;
  /** What runs, for lists. */
  readonly command: readonly string[];
  readonly submittedBy: string;
}
export interface JobRecord extends Omit<NewJob, 'envelope'> {
  /** Order of submission on this server. */
  readonly seq: number;
  readonly state: TaskState;
  readonly counts: TaskCounts;
  readonly submitted: number;
  readonly started: number | null;
  readonly ended: number | null;
  /** Rises with each change of the job or one of its tasks. */
  readonly change: number;
}
/** `same`: it was so already. */
export type Steered = 'done' | 'same' | 'ended' | 'unknown';
export interface TaskRecord {
  readonly job: string;
  readonly index: number;
  readonly state: TaskState;
  readonly because: EndReason | RefusalCode | null;
  /** Number of the present or last attempt; 0 before the first. */
  readonly attempt: number;
  readonly token: Token | null;
  readonly identity: string | null;
  readonly exit: Exit | null;
  readonly started: number | null;
  readonly ended: number | null;
  /** Digest of the accepted receipt of its last attempt. */
  readonly receipt: string | null;
  /** Its agent was, or is to be, told to stop it. */
  readonly cancelAsked: CancelHow | null;
  readonly change: number;
}
export type Exit = { readonly code: number } | { readonly signal: string };
export type CancelHow = 'terminate' | 'kill';
export interface AttemptRecord {
  readonly index: number;
  readonly attempt: number;
  readonly token: Token;
  readonly identity: string;
  /** Null while it is open. */
  readonly outcome: AttemptOutcome | null;
  readonly because: EndReason | RefusalCode | null;
  readonly ended: number | null;
  readonly receipt: string | null;
}
export interface ReceiptRecord {
  readonly digest: string;
  readonly job: string;
  readonly index: number;
  readonly attempt: number;
  readonly token: Token;
  readonly identity: string;
  readonly admission: string;
  readonly isAccepted: boolean;
  /** Why it was not accepted. */
  readonly code: string | null;
  readonly received: number;
  readonly envelope: Envelope;
}
export type SubmitAnswer =
  | { readonly is: 'added' | 'same'; readonly job: JobRecord }
  /** `removed`: the same order was here, and its time of keeping is over. `files_missing`: nothing was written. */
  | { readonly is: 'conflict' | 'removed' | 'files_missing' };
export interface JobsAsked extends PageAsked {
  readonly states?: readonly TaskState[];
  readonly queue?: string;
  readonly person?: string;
  readonly project?: string;
  /** First letters of the id. */
  readonly idPrefix?: string;
}

export interface NewWithdrawal {
  readonly digest: string;
  /** Digest of the order that it withdraws. */
  readonly order: string;
  /** The end of that order. */
  readonly until: number;
  readonly envelope: Envelope;
}

export interface JobStore {
  /** The id of a requirement class, made on first sight. */
  classId(canonicalJson: string): Promise<number>;
  listClasses(): Promise<readonly { readonly id: number; readonly class: string }[]>;
  /** Those of the classes that have work which may be claimed now. */
  classesWithWork(now: number): Promise<readonly number[]>;

  /** Same id and digest: the same answer. Costs the same for 1 and 1,000,000 tasks. `inputs`: files that it names. */
  submit(job: NewJob, by: By, inputs?: readonly string[]): Promise<SubmitAnswer>;
  /** Nothing of a job that is held is leased. */
  hold(job: string, isHeld: boolean, by: By): Promise<Steered>;
  setPriority(job: string, priority: number, by: By): Promise<Steered>;
  readJob(id: string): Promise<JobRecord | null>;
  readOrder(id: string): Promise<{ readonly digest: string; readonly envelope: Envelope } | null>;
  /** Newest first. */
  listJobs(asked: JobsAsked): Promise<Page<JobRecord>>;
  readTask(job: string, index: number): Promise<TaskRecord | null>;
  /** In order of index; tasks that were never leased included. With `states` only those. */
  listTasks(
    job: string,
    asked: PageAsked & { readonly states?: readonly TaskState[] },
  ): Promise<Page<TaskRecord>>;
  listAttempts(job: string, index: number): Promise<readonly AttemptRecord[]>;
  listReceipts(
    job: string,
    page: PageAsked & { readonly index?: number; readonly onlyAccepted?: boolean },
  ): Promise<Page<ReceiptRecord>>;
  readReceipt(job: string, index: number, digest: string): Promise<ReceiptRecord | null>;
  /** Tasks with a row that changed after that number, oldest change first: an event stream resumes here. A change number is never split, so there may be more than `limit`. */
  listChanges(job: string, afterChange: number, limit: number): Promise<readonly TaskRecord[]>;
  newestChange(): Promise<number>;

  /** Kept until the order could not start any more. */
  addWithdrawal(withdrawal: NewWithdrawal, by: By): Promise<'added' | 'same'>;
  /** Those that count now and were added since, oldest first, at most 10,000. */
  listWithdrawals(
    asked: PageAsked & { readonly now: number; readonly since: number },
  ): Promise<Page<Envelope>>;
  /** Jobs with waiting tasks of which this agent has refused one, and why, newest first, at most 1,000. */
  listRefused(
    identity: string,
  ): Promise<readonly { readonly job: string; readonly because: EndReason | RefusalCode }[]>;
}

// ── queues ───────────────────────────────────────────────────────────────────────────────────────────────────────

export interface QueueRecord {
  readonly name: string;
  /** Nothing is leased from it. */
  readonly isPaused: boolean;
  /** How many of its tasks may be leased at a time; null: as many as agents take. */
  readonly maxRunning: number | null;
  /** Of jobs that name none themselves. */
  readonly priority: number;
  /** Ids of the persons who may use it; null: everybody. */
  readonly people: readonly string[] | null;
  /** How long its jobs are kept after their end; null: as the server keeps all. */
  readonly keepSeconds: number | null;
}

export interface QueueStore {
  listQueues(): Promise<readonly QueueRecord[]>;
  setQueue(queue: QueueRecord, by: By): Promise<void>;
  removeQueue(name: string, by: By): Promise<boolean>;
  /** Jobs with waiting tasks, counted to 10,000, and leased tasks. */
  countTasks(
    name: string,
    classes: readonly number[],
  ): Promise<{ readonly waiting: number; readonly running: number }>;
}

// ── retention ────────────────────────────────────────────────────────────────────────────────────────────────────

export interface DueAsked {
  readonly now: number;
  /** Of queues that say nothing. */
  readonly keepSeconds: number;
  /** Of every queue, whatever it says. */
  readonly olderThanSeconds: number | null;
}
export interface DueJobs {
  readonly jobs: readonly string[];
  readonly tasks: number;
  readonly receipts: number;
  readonly next: string | null;
}
export interface RemovedJobs {
  readonly jobs: readonly { readonly id: string; readonly tasks: number }[];
  readonly isMore: boolean;
}
export interface Swept {
  /** What they have outside the database may go; then they are finished. */
  readonly jobs: readonly string[];
  readonly receipts: number;
  /** No row is left of these. */
  readonly isDone: boolean;
}
export interface UnusedAsked extends PageAsked {
  readonly unusedSince: number;
}
export interface RemovedFiles {
  readonly files: readonly FileRecord[];
  readonly next: string | null;
}
export interface ForgetAsked {
  readonly withdrawnBefore: number;
  readonly receivedBefore: number;
  readonly limit: number;
}

/** Each call is one bounded transaction: whoever calls goes on while there is more. */
export interface RetentionStore {
  countDue(asked: DueAsked & PageAsked): Promise<DueJobs>;
  /** Files that no job would name if those that are due were gone. A page may be empty and have a next one. */
  listUnused(asked: UnusedAsked & DueAsked): Promise<RemovedFiles>;
  /** A removed job is in no list any more, and its id stays taken until its order can certainly not start. */
  removeJobs(asked: DueAsked & { readonly limit: number }, by: By): Promise<RemovedJobs>;
  /** At most `limit` rows of each table that removed jobs left. */
  sweepRemoved(limit: number): Promise<Swept>;
  finishRemoved(jobs: readonly string[]): Promise<void>;
  /** Whether there was a job of this id: known as long as its id stays taken. */
  wasRemoved(job: string): Promise<boolean>;
  /** Those that no job names. Their bytes are the caller's. */
  removeFiles(asked: UnusedAsked, by: By): Promise<RemovedFiles>;
  forgetOrders(asked: ForgetAsked, by: By): Promise<{ readonly isMore: boolean }>;
  /** @returns those that are gone: no job needs them any more. Whoever submits must not use one of these meanwhile. */
  forgetClasses(ids: readonly number[]): Promise<readonly number[]>;
}

// ── leases ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** One task under one lease, in the words of the link. */
export interface LeaseRef {
  readonly job: string;
  readonly index: number;
  readonly attempt: number;
  readonly token: Token;
}
export interface OpenLease extends LeaseRef {
  readonly identity: string;
  readonly state: 'leased' | 'running';
  readonly until: number;
  readonly cancelAsked: CancelHow | null;
}
export interface ClaimAsked {
  readonly identity: string;
  readonly classes: readonly number[];
  /** At most 2000. */
  readonly max: number;
  readonly leaseSeconds: number;
  /** Ids of jobs that this agent is not to get. */
  readonly excluded?: readonly string[];
  readonly limits?: readonly QueueLimit[];
  /** What the agent has left, by dimension, and what a task of each class takes of each. */
  readonly capacity?: {
    readonly free: readonly number[];
    readonly needs: ReadonlyMap<number, readonly number[]>;
  };
  readonly by: By;
}
/** How many tasks of a queue may be leased at a time, and which classes are of it. */
export interface QueueLimit {
  readonly queue: string;
  readonly classes: readonly number[];
  readonly most: number;
}
export interface Claim {
  readonly jobs: readonly ClaimedJob[];
  /** Classes that their queue's limit keeps back. */
  readonly limited: readonly number[];
  /** Others that have work left: this agent has no room for it, or it came behind what was looked at. */
  readonly more: readonly number[];
}
export interface ClaimedJob {
  readonly job: string;
  readonly class: number;
  readonly priority: number;
  readonly order: string;
  readonly tasks: readonly { readonly index: number; readonly attempt: number; readonly token: Token }[];
}
export interface ReceiptOffered extends LeaseRef {
  readonly identity: string;
  readonly digest: string;
  readonly admission: string;
  readonly envelope: Envelope;
  /** Position in the agent's chain. */
  readonly seq: number;
  /** `adopted` receipts carry the outcome that they adopt; `lost` is the agent's own word that its lease was over. */
  readonly outcome: 'succeeded' | 'failed' | 'refused' | 'cancelled' | 'lost';
  readonly because: EndReason | RefusalCode;
  readonly exit: Exit | null;
  readonly started: number | null;
  readonly ended: number;
  /** Set when the caller found it bad: it is stored and marked, and changes no task. */
  readonly refusedBy?: string;
}
export interface ReceiptAnswer {
  readonly digest: string;
  readonly seq: number;
  /** `stale`: not this task's present lease. `refused`: by the caller. */
  readonly is: 'accepted' | 'stale' | 'refused';
  /** Seen before: the answer is the first one. */
  readonly isDuplicate: boolean;
  readonly code: string | null;
  /** What the task became; null unless this call accepted it. */
  readonly state: TaskState | null;
}
/** What a change of leases did. */
export interface Released {
  readonly tasks: readonly {
    readonly job: string;
    readonly index: number;
    readonly identity: string;
    readonly state: TaskState;
  }[];
  /** A batch is bounded: call again. */
  readonly isMore: boolean;
}

export interface LeaseStore {
  /** Oldest first within priority; of a job first what came back, then what was never leased. */
  claim(asked: ClaimAsked): Promise<Claim>;
  /** Leases that are not this agent's any more come back as `lost`. */
  markStarted(
    identity: string,
    tasks: readonly LeaseRef[],
    by: By,
  ): Promise<{ readonly lost: readonly LeaseRef[] }>;
  /** A lease that has ended cannot be renewed, even if nobody has taken it back yet. */
  renew(
    identity: string,
    tasks: readonly LeaseRef[],
    leaseSeconds: number,
    by: By,
  ): Promise<{
    readonly kept: readonly LeaseRef[];
    readonly lost: readonly LeaseRef[];
    readonly cancelAsked: readonly (LeaseRef & { readonly how: CancelHow })[];
  }>;
  /** Unstarted work, durably given up by its agent: no attempt is used up. A task that had started is not taken back. */
  handBack(identity: string, tasks: readonly LeaseRef[], by: By): Promise<Released>;
  /** Ends leases whose time is over, at most 2000. */
  lapse(by: By): Promise<Released>;
  /** Ends all leases of an agent that holds nothing but `except`: it restarted, or may not act any more. */
  loseAgent(identity: string, except: readonly LeaseRef[], by: By): Promise<Released>;
  /** At the start of the server: nobody could renew while it was away. */
  renewAll(leaseSeconds: number, by: By): Promise<number>;
  listOpen(identity: string): Promise<readonly OpenLease[]>;
  /** When the next lease ends; null without any. */
  nextLapse(): Promise<number | null>;

  /** At most 500. Answers stand in the order of the receipts. Refused ones are stored too. */
  accept(receipts: readonly ReceiptOffered[], by: By): Promise<readonly ReceiptAnswer[]>;

  /** Waiting tasks end at once; leased and running ones are marked, and end with their agent's word or their lease. */
  cancel(asked: {
    readonly job: string;
    /** Null: the whole job. */
    readonly indexes: readonly number[] | null;
    readonly how: CancelHow;
    readonly by: By;
  }): Promise<{ readonly ended: number; readonly toStop: readonly OpenLease[] } | null>;
  /** Ends waiting tasks whose order's not-after has passed, at most 500 jobs at a time. */
  expire(by: By): Promise<{ readonly jobs: readonly string[]; readonly isMore: boolean }>;
  /** When the next order expires that still has waiting tasks; null without any. */
  nextExpiry(): Promise<number | null>;
  /** Ends waiting tasks that nobody can start any more. */
  refuse(job: string, because: RefusalCode, by: By): Promise<number>;
}

// ── files, tokens, audit ─────────────────────────────────────────────────────────────────────────────────────────

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

export type TokenRole = 'administrator' | 'member';
export interface NewToken {
  readonly id: string;
  readonly name: string;
  readonly role: TokenRole;
  readonly person: string | null;
  readonly expires: number;
}
export interface TokenRecord extends NewToken {
  readonly created: number;
  readonly lastUsed: number | null;
  readonly revoked: number | null;
}
export interface TokenStore {
  /** Only the hash of the token is kept. */
  addToken(token: NewToken, secret: Uint8Array, by: By): Promise<'added' | 'conflict'>;
  /** Null when unknown, expired or revoked. */
  findToken(secret: Uint8Array, now: number): Promise<TokenRecord | null>;
  markUsed(id: string, now: number): Promise<void>;
  listTokens(page: PageAsked): Promise<Page<TokenRecord>>;
  revokeToken(id: string, by: By): Promise<boolean>;
}

export interface AuditRecord {
  readonly seq: number;
  readonly time: number;
  readonly actor: string;
  readonly source: string;
  readonly action: string;
  readonly object: string;
  readonly outcome: 'done' | 'refused';
  /** How many state changes it stands for. */
  readonly count: number;
  readonly detail: string;
  readonly previous: string;
  readonly hash: string;
}
export type AuditReport =
  | { readonly isWhole: true; readonly records: number; readonly head: string }
  | {
      readonly isWhole: false;
      readonly records: number;
      readonly firstBad: number;
      readonly fault: 'missing' | 'order' | 'hash' | 'head';
    };
export interface AuditStore {
  /** What was asked and not done, or an act that changes no table of ours. */
  record(entry: {
    readonly action: string;
    readonly object: string;
    readonly outcome: 'done' | 'refused';
    readonly detail: string;
    readonly by: By;
  }): Promise<void>;
  /** Newest first. */
  listRecords(
    asked: PageAsked & { readonly object?: string; readonly actor?: string },
  ): Promise<Page<AuditRecord>>;
  head(): Promise<{ readonly seq: number; readonly hash: string }>;
  verifyAudit(): Promise<AuditReport>;
}
