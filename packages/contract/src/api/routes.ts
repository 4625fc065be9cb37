/**
 * The API of people: method and path of each route, one name each. The body is named in requests.ts, the answer in views.ts.
 * Lists take `limit` (50, at most 500) and `cursor`, and answer `{items, next}`.
 */
export const API_ROUTES = {
  /** → ClusterView. Answers before anybody has signed in, also while the server is unclaimed. */
  readCluster: ['GET', '/api/v1/cluster'],
  /** SetUp → ClusterView. */
  setUp: ['POST', '/api/v1/setup'],
  /** ChangeSet → ClusterView. Whose signatures they have decides, not who sends them. */
  changeSet: ['POST', '/api/v1/sets'],
  /** → TrustView: sets from version 1 on, newest freshness, all admissions. */
  readTrust: ['GET', '/api/v1/trust'],
  /** LeaveFreshness → 204. */
  leaveFreshness: ['POST', '/api/v1/freshness'],

  /** SubmitJob → JobView: 201, and 200 for the same order once more. */
  submitJob: ['POST', '/api/v1/jobs'],
  /** `?state=` → page of JobView, newest first. `?id=` takes the beginning of a job id. */
  listJobs: ['GET', '/api/v1/jobs'],
  readJob: ['GET', '/api/v1/jobs/:id'],
  /** → Envelope: the signed bytes as they came. */
  readOrder: ['GET', '/api/v1/jobs/:id/order'],
  /** `?state=` → page of TaskView, by index. Tasks that were never leased are shown as waiting. */
  listTasks: ['GET', '/api/v1/jobs/:id/tasks'],
  /** `?index=` → page of ReceiptView. */
  listReceipts: ['GET', '/api/v1/jobs/:id/receipts'],
  /** → server-sent events, each a JobEvent; `Last-Event-ID` resumes. With `?receipts=1` each ended task is followed by its receipt. Ends after the job has ended. */
  followJob: ['GET', '/api/v1/jobs/:id/events'],
  /** CancelJob → JobView. */
  cancelJob: ['POST', '/api/v1/jobs/:id/cancel'],
  /** → JobView. Nothing of it is started until it is released; what runs goes on. */
  holdJob: ['POST', '/api/v1/jobs/:id/hold'],
  /** → JobView. */
  releaseJob: ['POST', '/api/v1/jobs/:id/release'],
  /** SetPriority → JobView. */
  setPriority: ['POST', '/api/v1/jobs/:id/priority'],
  /** → WhyView. */
  whyWaiting: ['GET', '/api/v1/jobs/:id/why'],

  /** → page of QueueView. */
  listQueues: ['GET', '/api/v1/queues'],
  /** SetQueue → QueueView. */
  setQueue: ['PUT', '/api/v1/queues/:name'],
  /** → 204. Its jobs stay; it is as if nobody had set it. */
  removeQueue: ['DELETE', '/api/v1/queues/:name'],

  /** `:stream` is stdout or stderr. `?attempt=` (newest), `?offset=` (0) → raw bytes so far; header `writ-attempt` names the attempt. With `?follow=1` it goes on until that attempt has ended. */
  readLog: ['GET', '/api/v1/jobs/:id/tasks/:index/logs/:stream'],

  /** FilesAsked → FilesMissing. */
  askFiles: ['POST', '/api/v1/files/missing'],
  /** HEAD: `upload-offset`, how many bytes are already here. */
  readUpload: ['HEAD', '/api/v1/uploads/:digest'],
  /**
   * One chunk (4 MiB at most) with headers `upload-offset`, `upload-length` (of the whole) and
   * `content-digest: sha-256=:…:` (of the chunk) → 204 with the new `upload-offset`. The chunk that completes the file
   * answers 422 `file.digest_wrong` when the whole does not match, and begins again from 0.
   */
  appendUpload: ['PATCH', '/api/v1/uploads/:digest'],
  /** Bytes; takes `range`. */
  readFile: ['GET', '/api/v1/files/:digest'],
  /** A file that this job names: an input, or an output in an accepted receipt. */
  readJobFile: ['GET', '/api/v1/jobs/:id/files/:digest'],

  /** → page of AgentView. */
  listAgents: ['GET', '/api/v1/agents'],
  readAgent: ['GET', '/api/v1/agents/:name'],
  /** BanAgent → AgentView. */
  banAgent: ['POST', '/api/v1/agents/:name/ban'],
  /** → AgentView. It finishes what it has begun, and gets nothing new. */
  drainAgent: ['POST', '/api/v1/agents/:name/drain'],
  /** → AgentView. */
  resumeAgent: ['POST', '/api/v1/agents/:name/resume'],
  /** MakeInvite → InviteView. */
  makeInvite: ['POST', '/api/v1/invites'],
  /** → page of InviteView. */
  listInvites: ['GET', '/api/v1/invites'],
  /** MakeAdmission → AgentView. For machines that a person admits by hand. */
  makeAdmission: ['POST', '/api/v1/admissions'],

  /** MakeToken → TokenMade. */
  makeToken: ['POST', '/api/v1/tokens'],
  /** → page of TokenView. */
  listTokens: ['GET', '/api/v1/tokens'],
  /** → 204. */
  revokeToken: ['DELETE', '/api/v1/tokens/:id'],

  /** Prune → PruneView: removes what was kept long enough, or says what would go. */
  prune: ['POST', '/api/v1/prune'],
  /** → page of AuditRecordView, newest first. */
  readAudit: ['GET', '/api/v1/audit'],
  /** → ServerView. */
  readServer: ['GET', '/api/v1/server'],
  /** → 204, then the server stops. On its own machine only. */
  stopServer: ['POST', '/api/v1/server/stop'],
  /** This API as OpenAPI 3.1. */
  readOpenApi: ['GET', '/api/v1/openapi.json'],
} as const satisfies Record<string, readonly ['GET' | 'POST' | 'PUT' | 'HEAD' | 'PATCH' | 'DELETE', string]>;
export type ApiRoute = keyof typeof API_ROUTES;
