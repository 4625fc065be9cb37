import swagger from '@fastify/swagger';
import {
  AgentView,
  API_ROUTES,
  type ApiRoute,
  AuditRecordView,
  type Check,
  ClusterView,
  Envelope,
  FilesMissing,
  InviteView,
  JobView,
  page,
  Problem,
  PruneView,
  QueueView,
  ReceiptView,
  ServerView,
  TaskView,
  TokenMade,
  TokenView,
  TrustView,
  Type,
  WhyView,
} from '@writ/contract';
import fastify from 'fastify';
import type { Policy } from '../route-policy.ts';
import type { PeopleParts } from './people-parts.ts';
import { addRoutes } from './routes.ts';

type Schema = Check<unknown>['schema'];
type Answer = readonly [status: number, body: object | null];

const json = (status: number, body: object): Answer => [status, body];
const NOTHING: Answer = [204, null];
const bytes: Answer = [200, null];

/** What each route answers when it does what it was asked. */
const ANSWERS: Readonly<Record<ApiRoute, readonly Answer[]>> = {
  readCluster: [json(200, ClusterView)],
  setUp: [json(200, ClusterView)],
  changeSet: [json(200, ClusterView)],
  readTrust: [json(200, TrustView)],
  leaveFreshness: [NOTHING],
  submitJob: [json(201, JobView), json(200, JobView)],
  listJobs: [json(200, page(JobView))],
  readJob: [json(200, JobView)],
  readOrder: [json(200, Envelope)],
  listTasks: [json(200, page(TaskView))],
  listReceipts: [json(200, page(ReceiptView))],
  followJob: [bytes],
  cancelJob: [json(200, JobView)],
  holdJob: [json(200, JobView)],
  releaseJob: [json(200, JobView)],
  setPriority: [json(200, JobView)],
  whyWaiting: [json(200, WhyView)],
  listQueues: [json(200, page(QueueView))],
  setQueue: [json(200, QueueView)],
  removeQueue: [NOTHING],
  readLog: [bytes],
  askFiles: [json(200, FilesMissing)],
  readUpload: [NOTHING],
  appendUpload: [NOTHING],
  readFile: [bytes, [206, null]],
  readJobFile: [bytes, [206, null]],
  listAgents: [json(200, page(AgentView))],
  readAgent: [json(200, AgentView)],
  banAgent: [json(200, AgentView)],
  drainAgent: [json(200, AgentView)],
  resumeAgent: [json(200, AgentView)],
  makeInvite: [json(201, InviteView), json(200, InviteView)],
  listInvites: [json(200, page(InviteView))],
  makeAdmission: [json(201, AgentView)],
  makeToken: [json(201, TokenMade)],
  listTokens: [json(200, page(TokenView))],
  revokeToken: [NOTHING],
  prune: [json(200, PruneView)],
  readAudit: [json(200, page(AuditRecordView))],
  readServer: [json(200, ServerView)],
  stopServer: [NOTHING],
  readOpenApi: [json(200, Type.Object({}))],
};

const STREAMS: Partial<Record<ApiRoute, string>> = {
  followJob: 'text/event-stream',
  readLog: 'application/octet-stream',
  readFile: 'application/octet-stream',
  readJobFile: 'application/octet-stream',
};

/** The API as OpenAPI 3.1, from the routes themselves. They are laid out once more and never called. */
export async function describeApi(parts: PeopleParts): Promise<object> {
  const app = fastify({ exposeHeadRoutes: false });
  await app.register(swagger, {
    exposeHeadRoutes: true,
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Writ',
        version: '1',
        description: 'The API of people. Agents have their own, with mutual TLS.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: {
        securitySchemes: {
          token: {
            type: 'http',
            scheme: 'bearer',
            description: 'A token that begins with writ_, made by `writ token create`.',
          },
        },
      },
    },
    transform: ({ schema, url, route }) => {
      const name = (Object.keys(API_ROUTES) as ApiRoute[]).find(
        (key) => API_ROUTES[key][0] === String(route.method) && API_ROUTES[key][1] === url,
      );
      if (!name) return { schema: { ...schema, hide: true }, url };
      const policy: Policy = route.config?.policy ?? 'socket';
      return {
        schema: {
          ...schema,
          operationId: name,
          ...securityOf(policy),
          tags: [route.config?.group ?? 'admin'],
          response: responsesOf(name),
        },
        url,
      };
    },
  });
  addRoutes(app, parts);
  await app.ready();
  const document: object = app.swagger();
  await app.close();
  return document;
}

function securityOf(policy: Policy): { security: { token: string[] }[]; description: string } {
  const description = {
    anyone: 'Answers without signing in.',
    member: 'For every token.',
    administrator: 'For tokens of administrators.',
    socket: "Only on the administrator's socket.",
    agent: '',
  }[policy];
  return { security: policy === 'anyone' ? [] : [{ token: [] }], description };
}

function responsesOf(name: ApiRoute): Record<string, object> {
  const answers = ANSWERS[name].map(([status, body]): [string, object] => {
    if (body)
      return [
        String(status),
        { description: 'Done', content: { 'application/json': { schema: body as Schema } } },
      ];
    const type = STREAMS[name];
    if (type === undefined) return [String(status), { description: 'Done', type: 'null' }];
    return [String(status), { description: 'Done', content: { [type]: { schema: { type: 'string' } } } }];
  });
  return {
    ...Object.fromEntries(answers),
    default: {
      description: 'Refused (RFC 9457)',
      content: { 'application/problem+json': { schema: Problem } },
    },
  };
}
