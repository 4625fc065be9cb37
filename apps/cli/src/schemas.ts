import {
  AgentView,
  Bundle,
  ClusterId,
  Counts,
  Digest,
  Ed25519Key,
  Envelope,
  Grants,
  Id,
  JobView,
  Labels,
  Name,
  oneOf,
  orNull,
  Person,
  PruneView,
  QueueView,
  ReceiptPredicate,
  SetRef,
  shape,
  SignerKey,
  TASK_STATES,
  TaskView,
  TokenMade,
  TokenView,
  Type,
  When,
  whole,
  WhyView,
} from '@writ/contract';

const Text = Type.String();
const Texts = Type.Array(Text);
const { kind, because, exit, outputs, stdout, stderr } = ReceiptPredicate.properties;

/** A task's end as the verified receipt has it. */
const TaskResult = shape({
  index: whole(),
  attempt: whole(1),
  kind,
  because,
  detail: Text,
  exit,
  exitCode: whole(0, 255),
  agent: Name,
  identity: Ed25519Key,
  receipt: Digest,
  started: orNull(When),
  ended: When,
  wallMs: whole(),
  outputs,
  stdout,
  stderr,
});
const { key, form, custody } = SignerKey.properties;
/** A person of the signer set, and what counts of theirs now. */
const Signer = shape({
  id: Id,
  name: Name,
  kind: Person.properties.kind,
  state: oneOf('counts', 'removed', 'removed, compromised'),
  isChanger: Type.Boolean(),
  grants: Grants,
  keys: Type.Array(
    shape({
      key,
      name: Text,
      form,
      custody,
      until: orNull(When),
      ended: orNull(shape({ is: oneOf('retired', 'compromised'), since: When })),
    }),
  ),
});
const tasks = Type.Array(TaskResult);
const verified = Type.Literal(true);
const Log = shape({
  is: Type.Literal('log'),
  index: whole(),
  stream: oneOf('stdout', 'stderr'),
  base64: Text,
});
const Submitted = shape({
  job: Id,
  digest: Digest,
  state: oneOf(...TASK_STATES),
  tasks: whole(1),
  notAfter: When,
});

const Steered = shape({
  job: Id,
  state: oneOf(...TASK_STATES),
  waitsFor: JobView.properties.waitsFor,
  priority: JobView.properties.priority,
  isHeld: Type.Boolean(),
});

/** What `--json` prints on stdout, by command. Commands marked as streams print one such document a line. */
export const SCHEMAS = {
  why: shape({
    job: Id,
    state: oneOf(...TASK_STATES),
    waitsFor: JobView.properties.waitsFor,
    starts: Text,
    agents: WhyView.properties.agents,
  }),
  hold: Steered,
  release: Steered,
  priority: Steered,
  prune: PruneView,
  'queue list': shape({ queues: Type.Array(QueueView) }),
  'queue set': shape({ queue: QueueView }),
  'queue pause': shape({ queue: QueueView }),
  'queue resume': shape({ queue: QueueView }),
  'queue remove': shape({ queue: Name }),
  'agent drain': shape({ agent: AgentView }),
  'agent resume': shape({ agent: AgentView }),
  up: shape({
    cluster: ClusterId,
    context: Name,
    state: Text,
    wasRunning: Type.Boolean(),
    authority: Text,
    key: Text,
    peopleAddresses: Texts,
    agentAddresses: Texts,
    agent: orNull(AgentView),
    isKeyHere: Type.Boolean(),
    processes: shape({ server: orNull(whole(2)), agent: orNull(whole(2)) }),
  }),
  down: shape({ state: Text, stopped: Type.Array(oneOf('agent', 'server')) }),
  invite: shape({ invite: Text, digest: Digest, until: When, command: Text }),
  join: shape({
    name: Name,
    cluster: ClusterId,
    identity: Ed25519Key,
    admission: Digest,
    labels: Labels,
    queues: Texts,
    state: Text,
    isStarted: Type.Boolean(),
  }),
  /** A stream; with --detach one document as of `submit`. */
  run: Type.Union([
    shape({ is: Type.Literal('submitted'), job: Id, digest: Digest }),
    shape({ is: Type.Literal('task'), task: TaskView }),
    Log,
    shape({ is: Type.Literal('result'), job: Id, digest: Digest, verified, exitCode: whole(0, 255), tasks }),
    Submitted,
  ]),
  submit: Submitted,
  status: Type.Union([
    shape({
      context: Name,
      cluster: orNull(ClusterId),
      server: Name,
      writ: Text,
      peopleAddresses: Texts,
      agentAddresses: Texts,
      agents: whole(),
      agentsConnected: whole(),
      jobs: Type.Array(JobView),
    }),
    shape({ job: JobView, tasks: Type.Array(TaskView) }),
  ]),
  /** A stream. */
  logs: Log,
  cancel: shape({ job: Id, state: oneOf(...TASK_STATES), counts: Counts, isWithdrawn: Type.Boolean() }),
  wait: shape({ job: Id, digest: Digest, verified, exitCode: whole(0, 255), tasks }),
  get: shape({ job: Id, digest: Digest, verified, bundle: Text, files: Texts, tasks }),
  verify: shape({
    verified: Type.Boolean(),
    isAnchored: Type.Boolean(),
    cluster: ClusterId,
    job: Id,
    digest: Digest,
    orderedBy: Text,
    command: Texts,
    filesCompared: whole(),
    receipts: Type.Array(
      shape({
        index: whole(),
        attempt: whole(1),
        kind,
        because,
        exit,
        agent: Name,
        identity: Ed25519Key,
        receipt: Digest,
        ended: When,
        isCountersigned: Type.Boolean(),
      }),
    ),
  }),
  'agent list': shape({ agents: Type.Array(AgentView) }),
  'agent start': shape({
    name: Name,
    state: Text,
    wasRunning: Type.Boolean(),
    process: orNull(whole(2)),
  }),
  'agent ban': shape({ agent: AgentView }),
  'token create': TokenMade,
  'token list': shape({ tokens: Type.Array(TokenView) }),
  'token revoke': shape({ revoked: Text }),
  'context list': shape({
    contexts: Type.Array(
      shape({ name: Name, isCurrent: Type.Boolean(), cluster: ClusterId, server: Text, key: orNull(Text) }),
    ),
  }),
  'context use': shape({ current: Name }),
  'context add': shape({ name: Name, cluster: ClusterId, server: Text, person: orNull(Id) }),
  'signer list': shape({
    version: whole(1),
    digest: Digest,
    cluster: ClusterId,
    threshold: whole(1),
    hasRecovery: Type.Boolean(),
    rivals: Type.Array(SetRef),
    signers: Type.Array(Signer),
  }),
  'signer show': shape({ signer: Signer }),
  'signer history': shape({
    versions: Type.Array(
      shape({
        ...SetRef.properties,
        stands: oneOf('holds', 'rival', 'lost'),
        time: When,
        signedBy: Text,
        changes: Texts,
      }),
    ),
  }),
  'signer remove': shape({ signer: Signer, version: whole(1) }),
  'signer settle': shape({ ...SetRef.properties, lost: Type.Array(SetRef) }),
  'signer recovery': shape({ recovery: orNull(Ed25519Key), words: orNull(Text), version: whole(1) }),
  'signer recover': shape({ signer: Name, key: Ed25519Key, version: whole(1) }),
  'context export': shape({ cluster: ClusterId, sets: Type.Array(Envelope) }),
  'job list': shape({ jobs: Type.Array(JobView) }),
  'support-bundle': shape({ file: Text, bytes: whole(1), holds: Texts }),
  /** On stderr, when a command fails. */
  error: shape({
    error: shape({
      code: Text,
      message: Text,
      next: orNull(Text),
      server: orNull(Text),
      requestId: orNull(Text),
      errors: Type.Array(shape({ pointer: Text, detail: Text })),
    }),
  }),
  /** The file that `writ get` writes and `writ verify` reads. */
  bundle: Bundle,
};

/** As published in docs/schemas: one file each, JSON Schema. */
export function schemaFiles(): Map<string, string> {
  return new Map(
    Object.entries(SCHEMAS).map(([name, schema]) => {
      const document = {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        title: `writ ${name} --json`,
        ...schema,
      };
      return [`${name.replaceAll(' ', '-')}.json`, `${JSON.stringify(document, null, 2)}\n`];
    }),
  );
}
