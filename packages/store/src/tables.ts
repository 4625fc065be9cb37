import type { TaskState } from '@writ/contract';

/** Rows as the database has them. Booleans are 0 and 1, instants milliseconds, envelopes and lists JSON texts. */
export interface Tables {
  counter: { name: 'job' | 'change' | 'class'; value: number };
  cluster: { id: 1; cluster: string; server_name: string; epoch: number; claimed: number };
  signer_set: { place: number; version: number; digest: string; envelope: string; added: number };
  freshness: { id: 1; set_version: number; set_digest: string; time: number; envelope: string };
  invite: InviteTable;
  admission: AdmissionTable;
  agent: AgentTable;
  leaf: LeafTable;
  class: { id: number; class: string };
  queue: QueueTable;
  job: JobTable;
  job_order: { job: number; envelope: string; command: string };
  task: TaskTable;
  lost_attempt: LostAttemptTable;
  receipt: ReceiptTable;
  file: { digest: string; size: number; last_used: number };
  file_project: { digest: string; project: string; added: number };
  file_use: { job: string; digest: string; is_input: number };
  removed_job: RemovedJobTable;
  withdrawal: { digest: string; order_digest: string; until: number; added: number; envelope: string };
  token: TokenTable;
  audit: AuditTable;
  audit_head: { id: 1; seq: number; hash: string };
}

export interface InviteTable {
  digest: string;
  invite_key: string;
  role: string;
  name: string | null;
  until: number;
  envelope: string;
  created: number;
  revoked: number | null;
  admission: string | null;
}
export interface AdmissionTable {
  digest: string;
  seq: number;
  identity: string;
  name: string;
  invite: string | null;
  supersedes: string | null;
  superseded_by: string | null;
  /** 1 while it is the one that counts for its identity and its name. */
  is_current: number;
  envelope: string;
  admitted: number;
}
export interface AgentTable {
  identity: string;
  name: string;
  admission: string;
  state: string;
  reason: string | null;
  description: string | null;
  last_seen: number | null;
  receipt_seq: number;
  tasks_done: number;
  /** Gets nothing new. */
  is_drained: number;
}
export interface LeafTable {
  serial: string;
  identity: string;
  tls_key_digest: string;
  not_before: number;
  not_after: number;
  previous: string | null;
  chain: string;
  state: string;
}
/** How many tasks of a job are in each state. */
export type CountColumns = { [State in TaskState as `n_${State}`]: number };
export interface JobTable extends CountColumns {
  seq: number;
  id: string;
  digest: string;
  person: string;
  project: string;
  queue: string;
  class: number;
  priority: number;
  first_index: number;
  size: number;
  /** Tasks from here on were never leased and have no row, `holes` of them excepted. */
  next_index: number;
  holes: number;
  /** What the tasks without a row are. */
  rest: TaskState;
  rest_because: string | null;
  max_attempts: number;
  retry_on_failure: number;
  is_once: number;
  not_before: number | null;
  not_after: number;
  /** 1 once not-before has come, unless it is held. */
  is_ready: number;
  is_held: number;
  submitted_by: string;
  submitted: number;
  started: number | null;
  ended: number | null;
  state: TaskState;
  next_token: number;
  change: number;
}
export interface QueueTable {
  name: string;
  is_paused: number;
  max_running: number | null;
  priority: number;
  /** JSON: ids of the persons who may use it; null: everybody. */
  people: string | null;
  keep_seconds: number | null;
}
/** What is left of a job that was removed. */
export interface RemovedJobTable {
  id: string;
  digest: string;
  /** Its number while rows of it are left in other tables. */
  seq: number | null;
  until: number;
  removed: number;
}
export interface TaskTable {
  job: number;
  idx: number;
  state: TaskState;
  because: string | null;
  /** The present or last attempt. */
  attempt: number;
  /** Attempts that are used up. */
  starts: number;
  token_epoch: number | null;
  token_n: number | null;
  identity: string | null;
  lease_until: number | null;
  cancel_how: string | null;
  exit: string | null;
  started: number | null;
  ended: number | null;
  receipt: string | null;
  change: number;
}
/** Leases that ended without an accepted receipt. Those with one are read from the receipts. */
export interface LostAttemptTable {
  job: number;
  token_epoch: number;
  token_n: number;
  idx: number;
  attempt: number;
  identity: string;
  outcome: string;
  because: string;
  ended: number;
}
export interface ReceiptTable {
  /** 0 where no such job is known. */
  job: number;
  idx: number;
  attempt: number;
  digest: string;
  token_epoch: number;
  token_n: number;
  identity: string;
  admission: string;
  is_accepted: number;
  code: string | null;
  outcome: string;
  because: string;
  ended: number;
  received: number;
  envelope: string;
}
export interface TokenTable {
  id: string;
  hash: string;
  name: string;
  role: string;
  person: string | null;
  created: number;
  expires: number;
  last_used: number | null;
  revoked: number | null;
}
export interface AuditTable {
  seq: number;
  time: number;
  actor: string;
  source: string;
  action: string;
  object: string;
  outcome: 'done' | 'refused';
  count: number;
  detail: string;
  previous: string;
  hash: string;
}
