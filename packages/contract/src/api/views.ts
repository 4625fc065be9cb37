import { type Static, Type } from '../type.ts';
import { ClusterId, Digest, Ed25519Key, Id, Labels, Name, Text } from '../names.ts';
import { check, oneOf, orNull, shape, whole } from '../shape.ts';
import { TASK_STATES, WAIT_REASONS } from '../job/job-state.ts';
import { Envelope } from '../signed/envelope.ts';
import { Probe } from '../signed/admission.ts';
import { Counters } from '../signed/counter.ts';
import { Profile, SetRef } from '../signed/signer-set.ts';

/** What the API of people says and takes. Instants are RFC 3339 in UTC with milliseconds. */
export const When = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$' });

/** A server: its name, version, addresses, and the cluster it belongs to. */
export const ClusterView = shape({
  writ: Text(32),
  server: Name,
  /** Null while nobody has claimed this server. */
  cluster: orNull(ClusterId),
  set: orNull(SetRef),
  /** Root certificate of this server's authority (DER, base64): what a first signer set lists. */
  authority: Type.String(),
  /** Where agents connect: host and port. */
  agentAddresses: Type.Array(Type.String()),
  peopleAddresses: Type.Array(Type.String()),
});
/** A server: its name, version, addresses, and the cluster it belongs to. */
export type ClusterView = Static<typeof ClusterView>;

export const Counts = shape(
  Object.fromEntries(TASK_STATES.map((state) => [state, whole()])) as Record<
    (typeof TASK_STATES)[number],
    ReturnType<typeof whole>
  >,
);

export const Priority = Type.Integer({ minimum: -100, maximum: 100 });

export const KeepSeconds = whole(1, 100 * 366 * 86_400);

/** A queue: its limits, who may use it, and what is in it. */
export const QueueView = shape({
  name: Name,
  isPaused: Type.Boolean(),
  /** How many of its tasks run at a time at most; null: as many as agents take. */
  maxRunning: orNull(whole(1)),
  /** Of jobs that name none themselves. */
  priority: Priority,
  /** Who may use it; null: everybody whom the signer set lets. */
  people: orNull(Type.Array(shape({ id: Id, name: Text(100) }))),
  /** How long its jobs are kept after their end; null: as the server keeps all. */
  keepSeconds: orNull(KeepSeconds),
  /** Names of agents that are admitted for it. */
  agents: Type.Array(Name),
  waiting: whole(),
  running: whole(),
});
/** A queue: its limits, who may use it, and what is in it. */
export type QueueView = Static<typeof QueueView>;

/** A job as the server sees it: its state and how many of its tasks are in which. */
export const JobView = shape({
  id: Id,
  digest: Digest,
  state: oneOf(...TASK_STATES),
  because: orNull(Text(64)),
  waitsFor: orNull(oneOf(...WAIT_REASONS)),
  submittedBy: Text(100),
  person: Id,
  queue: Name,
  project: Name,
  /** What runs, for people: argv of the first variant. */
  command: Type.Array(Type.String()),
  /** Higher comes first; a promise of the server, not in the order. */
  priority: Priority,
  isHeld: Type.Boolean(),
  tasks: whole(),
  firstIndex: whole(),
  counts: Counts,
  submitted: When,
  started: orNull(When),
  ended: orNull(When),
  notAfter: When,
});
/** A job as the server sees it: its state and how many of its tasks are in which. */
export type JobView = Static<typeof JobView>;

/** A task as the server sees it. What it came to is believed from its receipt. */
export const TaskView = shape({
  job: Id,
  index: whole(),
  value: orNull(Type.String()),
  state: oneOf(...TASK_STATES),
  because: orNull(Text(64)),
  attempt: whole(),
  agent: orNull(Name),
  identity: orNull(Ed25519Key),
  exit: orNull(Type.Union([shape({ code: whole() }), shape({ signal: Text(16) })])),
  progress: orNull(shape({ thousandths: orNull(whole(0, 1000)), message: Text(1000) })),
  started: orNull(When),
  ended: orNull(When),
  /** Digest of the receipt that was accepted. */
  receipt: orNull(Digest),
});
/** A task as the server sees it. What it came to is believed from its receipt. */
export type TaskView = Static<typeof TaskView>;

/** What a job waits for, and what each agent is in the way of starting it. */
export const WhyView = shape({
  job: JobView,
  agents: Type.Array(
    shape({
      name: Name,
      state: oneOf('free', 'busy', 'away', 'drained', 'banned'),
      /** It would start the job, or has started some of it. */
      isFit: Type.Boolean(),
      /** Why not, as the agent itself would say it. */
      because: orNull(Text(64)),
      detail: orNull(Text(1000)),
    }),
  ),
  queue: orNull(shape({ isPaused: Type.Boolean(), maxRunning: orNull(whole(1)) })),
  notBefore: orNull(When),
});
/** What a job waits for, and how each agent stands to it. */
export type WhyView = Static<typeof WhyView>;

/** An agent as the server sees it, with what the agent measured of itself. */
export const AgentView = shape({
  name: Name,
  identity: Ed25519Key,
  state: oneOf('active', 'banned'),
  /** It finishes what it has begun, and gets nothing new. */
  isDrained: Type.Boolean(),
  isConnected: Type.Boolean(),
  lastSeen: orNull(When),
  isBusy: Type.Boolean(),
  running: whole(),
  slots: whole(),
  writ: orNull(Text(32)),
  os: orNull(Text(32)),
  arch: orNull(Text(32)),
  cores: orNull(whole()),
  memoryBytes: orNull(whole()),
  megaflops: orNull(whole()),
  /** What its owner lets jobs share. */
  counters: Counters,
  profiles: Type.Array(
    shape({ profile: Profile, memory: Text(16), network: Type.Boolean(), probes: Type.Array(Probe) }),
  ),
  labels: Labels,
  queues: Type.Array(Type.String()),
  tasksDone: whole(),
});
/** An agent as the server sees it, with what the agent measured of itself. */
export type AgentView = Static<typeof AgentView>;

/** An API token, without its text. */
export const TokenView = shape({
  id: Id,
  name: Text(100),
  role: oneOf('administrator', 'member'),
  created: When,
  expires: When,
  lastUsed: orNull(When),
});
/** An API token, without its text. */
export type TokenView = Static<typeof TokenView>;

/** The only time that a token's text is shown. */
export const TokenMade = shape({
  ...TokenView.properties,
  token: Type.String({ pattern: '^writ_[A-Za-z0-9_-]{32,}$' }),
});
/** The only time that a token's text is shown. */
export type TokenMade = Static<typeof TokenMade>;

/** An invite: its public half, and whether it was used. */
export const InviteView = shape({
  digest: Digest,
  inviteKey: Ed25519Key,
  role: Text(16),
  name: orNull(Name),
  until: When,
  admission: orNull(Digest),
  isRevoked: Type.Boolean(),
});
/** An invite: its public half, and whether it was used. */
export type InviteView = Static<typeof InviteView>;

export const page = <S extends Parameters<typeof Type.Array>[0]>(item: S) =>
  shape({ items: Type.Array(item), next: orNull(Type.String()) });

/** One accepted or refused result with what is needed to verify it. */
export const ReceiptView = shape({
  index: whole(),
  attempt: whole(),
  isAccepted: Type.Boolean(),
  envelope: Envelope,
  admission: Digest,
});
/** One accepted or refused result with what is needed to verify it. */
export type ReceiptView = Static<typeof ReceiptView>;

/** The trust documents of the cluster, all self-proving: for bundles and for verifying receipts. */
export const TrustView = shape({
  sets: Type.Array(Envelope),
  freshness: orNull(Envelope),
  admissions: Type.Array(shape({ admission: Envelope, invite: orNull(Envelope) })),
});
/** The trust documents of the cluster, all self-proving: for bundles and for verifying receipts. */
export type TrustView = Static<typeof TrustView>;

export const AuditRecordView = shape({
  seq: whole(1),
  time: When,
  actor: Text(200),
  source: Text(200),
  action: Text(64),
  object: Text(200),
  outcome: oneOf('done', 'refused'),
  count: whole(),
  detail: Text(2000),
  previous: Digest,
  hash: Digest,
});

/** What was removed, or would be. */
export const PruneView = shape({
  isDryRun: Type.Boolean(),
  jobs: whole(),
  tasks: whole(),
  receipts: whole(),
  files: whole(),
  /** On the disk, of files and logs. The records' own room in the database is used again. */
  bytes: whole(),
});
/** What was removed, or would be. */
export type PruneView = Static<typeof PruneView>;

/** What is on in this server, from its running parts. */
export const ServerView = shape({
  writ: Text(32),
  node: Text(32),
  pid: whole(1),
  started: When,
  memory: shape({ rssBytes: whole(), heapBytes: whole() }),
  /** `seen`: what the open links negotiated. */
  tls: shape({ least: Text(16), tickets: Type.Boolean(), seen: Type.Array(Text(16)) }),
  database: Text(200),
  /** Signed objects whose signatures were checked since the start. */
  verified: shape({ orders: whole(), receipts: whole() }),
  leaseSeconds: Type.Number(),
  links: whole(),
  held: whole(),
});
/** What is on in this server, from its running parts. */
export type ServerView = Static<typeof ServerView>;

/** What `GET /api/v1/jobs/:id/events` sends (SSE; the id of an event is the job's change number). */
export const JobEvent = Type.Union([
  shape({ is: Type.Literal('job'), job: JobView }),
  shape({ is: Type.Literal('task'), task: TaskView }),
  shape({ is: Type.Literal('receipt'), receipt: ReceiptView }),
]);
/** What is told of a job while it is followed. */
export type JobEvent = Static<typeof JobEvent>;
export const jobEventCheck = check(JobEvent);
