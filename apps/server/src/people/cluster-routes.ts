import {
  API_ROUTES,
  ChangeSet,
  type ClusterView,
  encodeBase64,
  type Envelope,
  LeaveFreshness,
  SetUp,
  shape,
  type TrustView,
} from '@writ/contract';
import { allSets } from '@writ/trust';
import type { FastifyInstance } from 'fastify';
import { ServerError, StartError } from '../server-error.ts';
import { byOf, type PeopleParts } from './people-parts.ts';
import { setOf } from './set-of.ts';

export function addClusterRoutes(app: FastifyInstance, parts: PeopleParts): void {
  const { cluster, clock, store } = parts;

  const view = (): ClusterView => {
    const record = cluster.record();
    const { people, agents } = parts.addresses();
    return {
      writ: parts.version,
      server: parts.serverName,
      cluster: record?.cluster ?? null,
      set: record ? cluster.newest() : null,
      authority: encodeBase64(parts.root),
      agentAddresses: [...agents],
      peopleAddresses: [...people],
    };
  };

  app.get(API_ROUTES.readCluster[1], { config: { policy: 'anyone', group: 'client' } }, () => view());

  app.post(
    API_ROUTES.setUp[1],
    { config: { policy: 'socket', group: 'admin' }, schema: { body: SetUp } },
    async (request) => {
      const { set } = request.body as { set: Envelope };
      const authority = encodeBase64(parts.root);
      const lists = setOf(set)?.authorities.includes(authority) ?? false;
      if (!lists)
        throw new ServerError(
          'set.refused',
          'A first signer set lists the authority of this server, as GET /api/v1/cluster shows it.',
          [{ pointer: '/set', detail: 'set.authority_missing' }],
        );
      await cluster.claim(set, parts.serverName, byOf(request.caller, clock));
      try {
        await parts.claimed();
      } catch (error) {
        if (!(error instanceof StartError)) throw error;
        throw new ServerError('conflict.state', error.message, [{ pointer: '', detail: error.code }], {
          cause: error,
        });
      }
      return view();
    },
  );

  app.post(
    API_ROUTES.changeSet[1],
    { config: { policy: 'member', group: 'client' }, schema: { body: ChangeSet } },
    async (request) => {
      await cluster.change((request.body as ChangeSet).sets, byOf(request.caller, clock));
      return view();
    },
  );

  app.post(
    API_ROUTES.leaveFreshness[1],
    { config: { policy: 'member', group: 'client' }, schema: { body: LeaveFreshness } },
    async (request, reply) => {
      await cluster.leaveFreshness(
        (request.body as { freshness: Envelope }).freshness,
        byOf(request.caller, clock),
      );
      return await reply.code(204).send();
    },
  );

  app.get(
    API_ROUTES.readTrust[1],
    { config: { policy: 'member', group: 'client' }, schema: { querystring: shape({}) } },
    async () => {
      const admissions: TrustView['admissions'] = [];
      for (let after: string | null = null; ;) {
        const page: Awaited<ReturnType<typeof store.trust.listAdmissions>> = await store.trust.listAdmissions(
          { after, limit: 500 },
        );
        admissions.push(
          ...page.items.map((record) => ({ admission: record.envelope, invite: record.inviteEnvelope })),
        );
        after = page.next;
        if (after === null) break;
      }
      const view: TrustView = {
        sets: allSets(cluster.sets()),
        freshness: cluster.freshness(),
        admissions,
      };
      return view;
    },
  );
}
