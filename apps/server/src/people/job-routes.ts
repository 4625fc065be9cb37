import {
  API_ROUTES,
  type CancelJob,
  CancelJob as CancelBody,
  type Envelope,
  hasEnded,
  Id,
  oneOf,
  type JobView,
  SetPriority,
  shape,
  SubmitJob,
  TASK_STATES,
  type TaskState,
  Type,
} from '@writ/contract';
import type { JobRecord, Steered } from '@writ/store';
import type { FastifyInstance } from 'fastify';
import { ServerError } from '../server-error.ts';
import { cancelJob } from './cancel-job.ts';
import { jobView, nameAgentsWith, receiptView, taskView, wholeJobView } from './job-views.ts';
import { PAGE_QUERY, pageOf, type PageQuery, WHOLE_TEXT } from './paging.ts';
import { byOf, type PeopleParts } from './people-parts.ts';
import { queueNamesWith } from './queues.ts';
import { type Steering, submitJob } from './submit-job.ts';
import { whyWaiting } from './why-waiting.ts';

export const JOB_PARAMS = shape({ id: Id });
const STATES = Type.Optional(oneOf(...TASK_STATES));
const config = { policy: 'member', group: 'client' } as const;

export async function findJob({ store }: PeopleParts, id: string): Promise<JobRecord> {
  const job = await store.jobs.readJob(id);
  if (job) return job;
  if (await store.retention.wasRemoved(id))
    throw new ServerError(
      'job.removed',
      `The job ${id} was removed after its time of keeping, with its receipts and logs.`,
    );
  throw new ServerError('not_found', 'There is no such job, or it is not yours to see.');
}

export function addJobRoutes(app: FastifyInstance, parts: PeopleParts): void {
  const { store, clock, orders, dispatch } = parts;
  const submitting = { ...parts, queueNames: queueNamesWith(parts) };
  const idOf = (params: unknown): string => (params as { id: string }).id;

  app.post(API_ROUTES.submitJob[1], { config, schema: { body: SubmitJob } }, async (request, reply) => {
    const { order, ...steering } = request.body as { order: Envelope } & Steering;
    const { job, isNew } = await submitJob(submitting, order, byOf(request.caller, clock), steering);
    return await reply.code(isNew ? 201 : 200).send(jobView(parts, job));
  });

  const ListQuery = shape({
    ...PAGE_QUERY,
    state: STATES,
    id: Type.Optional(Type.String({ pattern: '^[a-z2-7]{1,26}$' })),
    queue: Type.Optional(Type.String({ maxLength: 63 })),
    project: Type.Optional(Type.String({ maxLength: 63 })),
  });
  app.get(API_ROUTES.listJobs[1], { config, schema: { querystring: ListQuery } }, async (request) => {
    const { state, id, queue, project, ...page } = request.query as PageQuery & {
      state?: TaskState;
      id?: string;
      queue?: string;
      project?: string;
    };
    const { items, next } = await store.jobs.listJobs({
      ...pageOf(page),
      ...(state !== undefined && { states: [state] }),
      ...(id !== undefined && { idPrefix: id }),
      ...(queue !== undefined && { queue }),
      ...(project !== undefined && { project }),
    });
    return { items: items.map((job) => jobView(parts, job)), next };
  });

  app.get(
    API_ROUTES.readJob[1],
    { config, schema: { params: JOB_PARAMS } },
    async (request) => await wholeJobView(parts, await findJob(parts, idOf(request.params))),
  );

  app.get(API_ROUTES.readOrder[1], { config, schema: { params: JOB_PARAMS } }, async (request) => {
    const job = await findJob(parts, idOf(request.params));
    return (await store.jobs.readOrder(job.id))?.envelope;
  });

  app.get(
    API_ROUTES.listTasks[1],
    { config, schema: { params: JOB_PARAMS, querystring: shape({ ...PAGE_QUERY, state: STATES }) } },
    async (request) => {
      const job = await findJob(parts, idOf(request.params));
      const { state, ...page } = request.query as PageQuery & { state?: TaskState };
      const { items, next } = await store.jobs.listTasks(job.id, {
        ...pageOf(page),
        ...(state !== undefined && { states: [state] }),
      });
      const order = (await orders.find(job.id))?.order ?? null;
      const nameOf = nameAgentsWith(parts);
      return {
        items: await Promise.all(items.map(async (task) => await taskView(parts, order, task, nameOf))),
        next,
      };
    },
  );

  app.get(
    API_ROUTES.listReceipts[1],
    {
      config,
      schema: { params: JOB_PARAMS, querystring: shape({ ...PAGE_QUERY, index: Type.Optional(WHOLE_TEXT) }) },
    },
    async (request) => {
      const job = await findJob(parts, idOf(request.params));
      const { index, ...page } = request.query as PageQuery & { index?: string };
      const { items, next } = await store.jobs.listReceipts(job.id, {
        ...pageOf(page),
        ...(index !== undefined && { index: Number(index) }),
      });
      return { items: items.map(receiptView), next };
    },
  );

  const steered = async (id: string, answer: Steered): Promise<JobView> => {
    if (answer === 'ended') throw new ServerError('conflict.state', 'This job has ended.');
    const job = await findJob(parts, id);
    if (job.isHeld) dispatch.callBack((_identity, classId) => classId === job.class);
    else dispatch.addWork(job.class);
    dispatch.serve();
    if (!job.isHeld) dispatch.overtake({ ...job, tasks: job.counts.waiting });
    return jobView(parts, job);
  };
  for (const [route, isHeld] of [
    [API_ROUTES.holdJob, true],
    [API_ROUTES.releaseJob, false],
  ] as const)
    app.post(route[1], { config, schema: { params: JOB_PARAMS } }, async (request) => {
      const { id } = await findJob(parts, idOf(request.params));
      return await steered(id, await store.jobs.hold(id, isHeld, byOf(request.caller, clock)));
    });

  app.post(
    API_ROUTES.setPriority[1],
    { config, schema: { params: JOB_PARAMS, body: SetPriority } },
    async (request) => {
      const { id } = await findJob(parts, idOf(request.params));
      const { priority } = request.body as { priority: number };
      return await steered(id, await store.jobs.setPriority(id, priority, byOf(request.caller, clock)));
    },
  );

  app.get(API_ROUTES.whyWaiting[1], { config, schema: { params: JOB_PARAMS } }, async (request) => {
    const job = await findJob(parts, idOf(request.params));
    const found = await orders.find(job.id);
    if (!found) throw new ServerError('not_found', 'There is no such job, or it is not yours to see.');
    return await whyWaiting(parts, job, found.order);
  });

  app.post(
    API_ROUTES.cancelJob[1],
    { config, schema: { params: JOB_PARAMS, body: CancelBody } },
    async (request) => {
      const job = await findJob(parts, idOf(request.params));
      await cancelJob(parts, job, request.body as CancelJob, byOf(request.caller, clock));
      const after = await findJob(parts, job.id);
      return hasEnded(after.state) ? await wholeJobView(parts, after) : jobView(parts, after);
    },
  );
}
