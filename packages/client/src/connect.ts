import {
  AgentView,
  type CancelJob,
  type Check,
  check,
  ClusterView,
  type Envelope,
  Envelope as EnvelopeShape,
  FilesMissing,
  InviteView,
  JobView,
  page,
  type Prune,
  PruneView,
  QueueView,
  ReceiptView,
  ServerView,
  type SetQueue,
  TaskView,
  TokenMade,
  TokenView,
  TrustView,
  WhyView,
} from '@writ/contract';
import { askJson, bodyOf, type RequestParts, sendRequest, type Server } from './send-request.ts';

/** A part of a list. */
export interface Page<T> {
  /** In the order of the list. */
  readonly items: T[];
  /** Cursor of the next page; null after the last. */
  readonly next: string | null;
}

/** Which part of a list. */
export interface PageAsked {
  /** How many at most: 50 when left out, 500 at most. */
  readonly limit?: number | undefined;
  /** {@link Page.next} of the page before; the first page when left out. */
  readonly cursor?: string | undefined;
}

/** One chunk of an upload is at most this long. */
export const UPLOAD_CHUNK_BYTES = 4 * 1024 * 1024;

/**
 * Every call of the API of people. Nothing that these answers say is verified: what is believed is what
 * {@link readResults} and {@link advanceSets} make of them. Each throws {@link ClientError}, with the server's code when
 * the server refused, and `server.unreachable` when nothing answered.
 *
 * @example
 * ```ts
 * const client = connect({ url: 'https://ana-pc.local:7410', fetch, token });
 * const { items } = await client.listJobs({ limit: 10 });
 * ```
 */
export interface Client {
  /** What it was made with. */
  readonly server: Server;
  /** Name, version, addresses and cluster of the server. */
  readCluster(): Promise<ClusterView>;
  /** Gives a new server its first signer set: from then on it has a cluster, and listens. */
  setUp(set: Envelope): Promise<ClusterView>;
  /** Gives the server the next version of the signer set, signed by those who may change it. */
  changeSet(sets: readonly Envelope[]): Promise<ClusterView>;
  /** Signer sets and admissions: all that is needed to verify, and each verifies by itself. */
  readTrust(): Promise<TrustView>;
  /** Leaves a signed word that the signer set is still the newest, for agents. */
  leaveFreshness(freshness: Envelope): Promise<void>;
  /**
   * Sends a signed order once. {@link submitJob} also deals with lost answers.
   *
   * @param steering stands beside the order: it changes when the job runs, and not what.
   */
  submitJob(order: Envelope, job: string, steering?: Steering): Promise<JobView>;
  /** Newest first. @param asked `state` keeps jobs in that state, `id` those whose id begins so. */
  listJobs(
    asked?: PageAsked & { state?: string | undefined; id?: string | undefined },
  ): Promise<Page<JobView>>;
  /** How a job stands, by the server's word. */
  readJob(id: string): Promise<JobView>;
  /** The signed bytes of a job's order. */
  readOrder(id: string): Promise<Envelope>;
  /** By index. */
  listTasks(id: string, asked?: PageAsked & { state?: string | undefined }): Promise<Page<TaskView>>;
  /**
   * What agents signed, accepted or not, by index and attempt. {@link readResults} verifies them. Where they are long, a
   * page has fewer than were asked for, and a `next` all the same.
   */
  listReceipts(id: string, asked?: PageAsked & { index?: number | undefined }): Promise<Page<ReceiptView>>;
  /** The raw stream of a job's events. {@link followJob} reads it. */
  openEvents(id: string, after: string | undefined, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  /** Ends a job or some of its tasks. {@link cancelJob} also signs that they may not start any more. */
  cancelJob(id: string, wish: CancelJob): Promise<JobView>;
  /** Nothing of it starts until it is released; what runs goes on. */
  holdJob(id: string): Promise<JobView>;
  /** Lets a held job start. */
  releaseJob(id: string): Promise<JobView>;
  /** Changes when a job comes in turn. @param priority -100 to 100; higher comes first. */
  setPriority(id: string, priority: number): Promise<JobView>;
  /** What it waits for, and how each agent stands to it. */
  whyWaiting(id: string): Promise<WhyView>;
  /** The queues, by name. */
  listQueues(asked?: PageAsked): Promise<Page<QueueView>>;
  /** Makes it, or sets all of it anew. */
  setQueue(name: string, queue: SetQueue): Promise<QueueView>;
  /** Removes a queue. For administrators. */
  removeQueue(name: string): Promise<void>;
  /** Removes jobs and files that were kept long enough, or says what would go. For administrators. */
  prune(wish: Prune): Promise<PruneView>;
  /** Raw bytes of a log from `offset` to its present end, or with `follow` to the end of its attempt, and of which attempt. */
  readLog(
    id: string,
    index: number,
    stream: 'stdout' | 'stderr',
    asked?: {
      attempt?: number | undefined;
      offset?: number | undefined;
      follow?: boolean;
      signal?: AbortSignal;
    },
  ): Promise<{ attempt: number; body: ReadableStream<Uint8Array> | null }>;
  /** Which of these the server does not have. */
  askFiles(files: readonly { digest: string; size: number }[]): Promise<string[]>;
  /** How many bytes of a file the server has. */
  readUpload(digest: string): Promise<number>;
  /** Sends a chunk of a file. @returns how many bytes the server has now. */
  appendUpload(digest: string, chunk: UploadChunk): Promise<number>;
  /** The bytes of a file, from `from` on. Compare their digest. */
  readFile(
    digest: string,
    asked?: { from?: number; signal?: AbortSignal },
  ): Promise<ReadableStream<Uint8Array>>;
  /** Every agent that was admitted, with what it said of itself. */
  listAgents(asked?: PageAsked): Promise<Page<AgentView>>;
  /** Shuts an agent out. */
  banAgent(name: string, reason: string): Promise<AgentView>;
  /** It finishes what it has begun, and gets nothing new. */
  drainAgent(name: string): Promise<AgentView>;
  /** Gives a drained agent work again. */
  resumeAgent(name: string): Promise<AgentView>;
  /** Gives the server the public half of an invite. */
  makeInvite(invite: Envelope): Promise<InviteView>;
  /** Newest first. */
  listInvites(asked?: PageAsked): Promise<Page<InviteView>>;
  /** Gives the server a signer's word that a machine is an agent. */
  makeAdmission(admission: Envelope): Promise<AgentView>;
  /** Makes an API token. Its text is shown this once. */
  makeToken(wish: {
    name: string;
    role: 'administrator' | 'member';
    expiresSeconds: number;
  }): Promise<TokenMade>;
  /** Tokens without their texts. */
  listTokens(asked?: PageAsked): Promise<Page<TokenView>>;
  /** Ends a token at once. */
  revokeToken(id: string): Promise<void>;
  /** What is on in this server. For administrators. */
  readServer(): Promise<ServerView>;
  /** Over the socket of its own machine only. */
  stopServer(): Promise<void>;
}

/** What stands beside an order when it is submitted. */
export interface Steering {
  /** -100 to 100, higher first; as the queue has it, when left out. */
  readonly priority?: number | undefined;
  /** Nothing of it starts before it is released. */
  readonly isHeld?: boolean | undefined;
}

/** A part of a file that is sent. */
export interface UploadChunk {
  /** Where in the file it begins: what the server has so far. */
  readonly offset: number;
  /** Length of the whole file. */
  readonly length: number;
  /** At most {@link UPLOAD_CHUNK_BYTES}. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** SHA-256 of `bytes`, base64. */
  readonly sha256: string;
}

const pageCheck = <T>(item: Parameters<typeof page>[0]) => check(page(item)) as unknown as Check<Page<T>>;

const shapes = {
  cluster: check(ClusterView),
  server: check(ServerView),
  trust: check(TrustView),
  job: check(JobView),
  jobs: pageCheck<JobView>(JobView),
  tasks: pageCheck<TaskView>(TaskView),
  receipts: pageCheck<ReceiptView>(ReceiptView),
  envelope: check(EnvelopeShape),
  missing: check(FilesMissing),
  agent: check(AgentView),
  agents: pageCheck<AgentView>(AgentView),
  invite: check(InviteView),
  invites: pageCheck<InviteView>(InviteView),
  pruned: check(PruneView),
  queue: check(QueueView),
  queues: pageCheck<QueueView>(QueueView),
  why: check(WhyView),
  tokenMade: check(TokenMade),
  tokens: pageCheck<TokenView>(TokenView),
};

/**
 * Makes the calls for one server. Nothing is sent yet.
 *
 * @example
 * ```ts
 * const client = connect({ url: 'https://ana-pc.local:7410', fetch, token });
 * ```
 */
export function connect(server: Server): Client {
  const ask = <T>(route: Parameters<typeof askJson>[1], shape: Check<T>, parts?: RequestParts): Promise<T> =>
    askJson(server, route, shape, parts);
  const send = (route: Parameters<typeof sendRequest>[1], parts?: RequestParts) =>
    sendRequest(server, route, parts);
  return {
    server,
    readCluster: () => ask('readCluster', shapes.cluster),
    setUp: (set) => ask('setUp', shapes.cluster, { json: { set } }),
    changeSet: (sets) => ask('changeSet', shapes.cluster, { json: { sets } }),
    readTrust: () => ask('readTrust', shapes.trust),
    async leaveFreshness(freshness) {
      await release(await send('leaveFreshness', { json: { freshness } }));
    },
    submitJob: (order, job, steering = {}) =>
      ask('submitJob', shapes.job, { json: { order, ...steering }, headers: { 'idempotency-key': job } }),
    listJobs: (query = {}) => ask('listJobs', shapes.jobs, { query: { ...query } }),
    readJob: (id) => ask('readJob', shapes.job, { path: { id } }),
    readOrder: (id) => ask('readOrder', shapes.envelope, { path: { id } }),
    listTasks: (id, query = {}) => ask('listTasks', shapes.tasks, { path: { id }, query: { ...query } }),
    listReceipts: (id, query = {}) =>
      ask('listReceipts', shapes.receipts, { path: { id }, query: { ...query } }),
    async openEvents(id, after, signal) {
      const headers = {
        accept: 'text/event-stream',
        ...(after === undefined ? {} : { 'last-event-id': after }),
      };
      return bodyOf(await send('followJob', { path: { id }, headers, signal }));
    },
    holdJob: (id) => ask('holdJob', shapes.job, { path: { id } }),
    releaseJob: (id) => ask('releaseJob', shapes.job, { path: { id } }),
    setPriority: (id, priority) => ask('setPriority', shapes.job, { path: { id }, json: { priority } }),
    whyWaiting: (id) => ask('whyWaiting', shapes.why, { path: { id } }),
    listQueues: (query = {}) => ask('listQueues', shapes.queues, { query: { ...query } }),
    setQueue: (name, queue) => ask('setQueue', shapes.queue, { path: { name }, json: queue }),
    async removeQueue(name) {
      await release(await send('removeQueue', { path: { name } }));
    },
    prune: (wish) => ask('prune', shapes.pruned, { json: wish }),
    cancelJob: (id, wish) => ask('cancelJob', shapes.job, { path: { id }, json: wish }),
    async readLog(id, index, stream, { attempt, offset, follow, signal } = {}) {
      const answer = await send('readLog', {
        path: { id, index, stream },
        query: { attempt, offset, follow: follow === true ? 1 : undefined },
        headers: { accept: 'application/octet-stream' },
        signal,
      });
      return { attempt: Number(answer.headers.get('writ-attempt') ?? attempt ?? 1), body: answer.body };
    },
    async askFiles(files) {
      return (await ask('askFiles', shapes.missing, { json: { files } })).missing;
    },
    async readUpload(digest) {
      const answer = await send('readUpload', { path: { digest } });
      await release(answer);
      return offsetOf(answer);
    },
    async appendUpload(digest, { offset, length, bytes, sha256 }) {
      const answer = await send('appendUpload', {
        path: { digest },
        bytes,
        headers: {
          'upload-offset': String(offset),
          'upload-length': String(length),
          'content-digest': `sha-256=:${sha256}:`,
        },
      });
      await release(answer);
      return offsetOf(answer);
    },
    async readFile(digest, { from = 0, signal } = {}) {
      const headers: Record<string, string> = { accept: 'application/octet-stream' };
      if (from > 0) headers['range'] = `bytes=${from}-`;
      return bodyOf(await send('readFile', { path: { digest }, headers, signal }));
    },
    listAgents: (query = {}) => ask('listAgents', shapes.agents, { query: { ...query } }),
    banAgent: (name, reason) => ask('banAgent', shapes.agent, { path: { name }, json: { reason } }),
    drainAgent: (name) => ask('drainAgent', shapes.agent, { path: { name } }),
    resumeAgent: (name) => ask('resumeAgent', shapes.agent, { path: { name } }),
    makeInvite: (invite) => ask('makeInvite', shapes.invite, { json: { invite } }),
    listInvites: (query = {}) => ask('listInvites', shapes.invites, { query: { ...query } }),
    makeAdmission: (admission) => ask('makeAdmission', shapes.agent, { json: { admission } }),
    makeToken: (json) => ask('makeToken', shapes.tokenMade, { json }),
    listTokens: (query = {}) => ask('listTokens', shapes.tokens, { query: { ...query } }),
    async revokeToken(id) {
      await release(await send('revokeToken', { path: { id } }));
    },
    readServer: () => ask('readServer', shapes.server),
    async stopServer() {
      await release(await send('stopServer'));
    },
  };
}

/** Every item of a list, page after page. */
export async function* allOf<T>(
  ask: (asked: PageAsked) => Promise<Page<T>>,
  limit = 500,
): AsyncGenerator<T, void, undefined> {
  let cursor: string | undefined;
  for (;;) {
    const { items, next } = await ask({ limit, cursor });
    yield* items;
    if (next === null || next === cursor) return;
    cursor = next;
  }
}

/** {@link allOf} in one array. */
export async function readAll<T>(ask: (asked: PageAsked) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of allOf(ask)) items.push(item);
  return items;
}

/** A body that nobody reads keeps its connection busy. */
async function release(answer: Response): Promise<void> {
  await answer.body?.cancel();
}

const offsetOf = (answer: Response): number => Number(answer.headers.get('upload-offset') ?? Number.NaN);
