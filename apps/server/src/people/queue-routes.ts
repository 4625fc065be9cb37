import { API_ROUTES, Name, type QueueView, SetQueue, shape } from '@writ/contract';
import type { QueueRecord } from '@writ/store';
import type { FastifyInstance } from 'fastify';
import { ServerError } from '../server-error.ts';
import { listAdmitted } from './list-admitted.ts';
import { PAGE_QUERY } from './paging.ts';
import { byOf, type PeopleParts } from './people-parts.ts';
import { DEFAULT_QUEUE, unsetQueue } from './queues.ts';

const NAME_PARAMS = shape({ name: Name });
const MOST_QUEUES = 500;

export function addQueueRoutes(app: FastifyInstance, parts: PeopleParts): void {
  const { store, clock, cluster, dispatch } = parts;
  const nameOf = (params: unknown): string => (params as { name: string }).name;

  app.get(
    API_ROUTES.listQueues[1],
    { config: { policy: 'member', group: 'client' }, schema: { querystring: shape(PAGE_QUERY) } },
    async () => {
      const set = await store.queues.listQueues();
      const admitted = await listAdmitted(parts);
      const named = admitted.flatMap(({ queues }) => queues).filter((queue) => queue !== '*');
      const known = new Set(set.map(({ name }) => name));
      const unset = [...new Set([DEFAULT_QUEUE, ...named])].filter((name) => !known.has(name));
      const queues = [...set, ...unset.map(unsetQueue)].toSorted((one, other) =>
        one.name < other.name ? -1 : 1,
      );
      return {
        items: await Promise.all(queues.map(async (queue) => await queueView(queue, admitted))),
        next: null,
      };
    },
  );

  app.put(
    API_ROUTES.setQueue[1],
    { config: { policy: 'administrator', group: 'admin' }, schema: { params: NAME_PARAMS, body: SetQueue } },
    async (request) => {
      const queue: QueueRecord = {
        name: nameOf(request.params),
        keepSeconds: null,
        ...(request.body as SetQueue),
      };
      refuseStrangers(queue);
      if (dispatch.queue(queue.name) === undefined && (await store.queues.listQueues()).length >= MOST_QUEUES)
        throw new ServerError(
          'quota.exceeded',
          `There are ${MOST_QUEUES} queues already. Remove one: writ queue remove.`,
        );
      await store.queues.setQueue(queue, byOf(request.caller, clock));
      await dispatch.lookAgain();
      return await queueView(queue, await listAdmitted(parts));
    },
  );

  app.delete(
    API_ROUTES.removeQueue[1],
    { config: { policy: 'administrator', group: 'admin' }, schema: { params: NAME_PARAMS } },
    async (request, reply) => {
      const name = nameOf(request.params);
      if (!(await store.queues.removeQueue(name, byOf(request.caller, clock))))
        throw new ServerError('not_found', `Nobody has set a queue ${name}. See: writ queue list.`);
      await dispatch.lookAgain();
      return await reply.code(204).send();
    },
  );

  function refuseStrangers({ people }: QueueRecord): void {
    const known = new Set(cluster.sets().current.persons.map(({ id }) => id));
    const stranger = people?.find((id) => !known.has(id));
    if (stranger !== undefined)
      throw new ServerError('request.malformed', `${stranger} is no person of the signer set.`, [
        { pointer: '/people', detail: 'not in the signer set' },
      ]);
  }

  async function queueView(
    queue: QueueRecord,
    admitted: readonly { readonly name: string; readonly queues: readonly string[] }[],
  ): Promise<QueueView> {
    const persons = new Map(cluster.sets().current.persons.map(({ id, name }) => [id, name]));
    const counts = await store.queues.countTasks(queue.name, dispatch.classesOf(queue.name));
    return {
      ...queue,
      people:
        queue.people && queue.people.map((id) => ({ id, name: persons.get(id) ?? 'not in the signer set' })),
      agents: admitted
        .filter(({ queues }) => queues.includes('*') || queues.includes(queue.name))
        .map(({ name }) => name),
      ...counts,
    };
  }
}
