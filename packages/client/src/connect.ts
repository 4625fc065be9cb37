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
  ReceiptView,
  ServerView,
  TaskView,
  TokenMade,
  TokenView,
  TrustView,
} from '@writ/contract';
import { askJson, bodyOf, type RequestParts, sendRequest, type Server } from './send-request.ts';

export interface Page<T> {
  readonly items: T[];
  /** Cursor of the next page; null after the last. */
  readonly next: string | null;
}

export interface PageAsked {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

/** One chunk of an upload is at most this long. */
export const UPLOAD_CHUNK_BYTES = 4 * 1024 * 1024;

/**
 * Every call of the API of people. Nothing that these answers say is verified: what is believed is what
 * {@link verifyResults} and {@link advanceSets} make of them.
 *
 * @example
 * const client = connect({ url: 'https://ana-pc.local:7410', fetch, token });
 * const { items } = await client.listJobs({ limit: 10 });
 */
export interface Client {
  readonly server: Server;
  readCluster(): Promise<ClusterView>;
  setUp(set: Envelope): Promise<ClusterView>;
  changeSet(set: Envelope): Promise<ClusterView>;
  readTrust(): Promise<TrustView>;
  leaveFreshness(freshness: Envelope): Promise<void>;
  submitJob(order: Envelope, job: string): Promise<JobView>;
  listJobs(
    asked?: PageAsked & { state?: string | undefined; id?: string | undefined },
  ): Promise<Page<JobView>>;
  readJob(id: string): Promise<JobView>;
  readOrder(id: string): Promise<Envelope>;
  listTasks(id: string, asked?: PageAsked & { state?: string | undefined }): Promise<Page<TaskView>>;
  listReceipts(id: string, asked?: PageAsked & { index?: number | undefined }): Promise<Page<ReceiptView>>;
  openEvents(id: string, after: string | undefined, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  cancelJob(id: string, wish: CancelJob): Promise<JobView>;
  /** Raw bytes of a log from `offset` to its present end, and of which attempt. */
  readLog(
    id: string,
    index: number,
    stream: 'stdout' | 'stderr',
    asked?: { attempt?: number | undefined; offset?: number | undefined; signal?: AbortSignal },
  ): Promise<{ attempt: number; body: ReadableStream<Uint8Array> | null }>;
  askFiles(files: readonly { digest: string; size: number }[]): Promise<string[]>;
  readUpload(digest: string): Promise<number>;
  /** @returns how many bytes the server has now. */
  appendUpload(digest: string, chunk: UploadChunk): Promise<number>;
  readFile(
    digest: string,
    asked?: { from?: number; signal?: AbortSignal },
  ): Promise<ReadableStream<Uint8Array>>;
  listAgents(asked?: PageAsked): Promise<Page<AgentView>>;
  banAgent(name: string, reason: string): Promise<AgentView>;
  makeInvite(invite: Envelope): Promise<InviteView>;
  listInvites(asked?: PageAsked): Promise<Page<InviteView>>;
  makeAdmission(admission: Envelope): Promise<AgentView>;
  makeToken(wish: {
    name: string;
    role: 'administrator' | 'member';
    expiresSeconds: number;
  }): Promise<TokenMade>;
  listTokens(asked?: PageAsked): Promise<Page<TokenView>>;
  revokeToken(id: string): Promise<void>;
  readServer(): Promise<ServerView>;
  /** Over the socket of its own machine only. */
  stopServer(): Promise<void>;
}

export interface UploadChunk {
  readonly offset: number;
  /** Length of the whole file. */
  readonly length: number;
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
  tokenMade: check(TokenMade),
  tokens: pageCheck<TokenView>(TokenView),
};

export function connect(server: Server): Client {
  const ask = <T>(route: Parameters<typeof askJson>[1], shape: Check<T>, parts?: RequestParts): Promise<T> =>
    askJson(server, route, shape, parts);
  const send = (route: Parameters<typeof sendRequest>[1], parts?: RequestParts) =>
    sendRequest(server, route, parts);
  return {
    server,
    readCluster: () => ask('readCluster', shapes.cluster),
    setUp: (set) => ask('setUp', shapes.cluster, { json: { set } }),
    changeSet: (set) => ask('changeSet', shapes.cluster, { json: { set } }),
    readTrust: () => ask('readTrust', shapes.trust),
    async leaveFreshness(freshness) {
      await release(await send('leaveFreshness', { json: { freshness } }));
    },
    submitJob: (order, job) =>
      ask('submitJob', shapes.job, { json: { order }, headers: { 'idempotency-key': job } }),
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
    cancelJob: (id, wish) => ask('cancelJob', shapes.job, { path: { id }, json: wish }),
    async readLog(id, index, stream, { attempt, offset, signal } = {}) {
      const answer = await send('readLog', {
        path: { id, index, stream },
        query: { attempt, offset },
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
