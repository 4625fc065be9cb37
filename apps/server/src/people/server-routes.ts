import { API_ROUTES, type ServerView, shape } from '@writ/contract';
import type { FastifyInstance } from 'fastify';
import { ServerError } from '../server-error.ts';
import { PAGE_QUERY, pageOf, type PageQuery, when } from './paging.ts';
import type { PeopleParts } from './people-parts.ts';

export function addServerRoutes(app: FastifyInstance, parts: PeopleParts): void {
  const { store } = parts;

  app.get(
    API_ROUTES.readAudit[1],
    { config: { policy: 'administrator', group: 'admin' }, schema: { querystring: shape(PAGE_QUERY) } },
    async (request) => {
      const { items, next } = await store.audit.listRecords(pageOf(request.query as PageQuery));
      return { items: items.map((record) => ({ ...record, time: when(record.time) })), next };
    },
  );

  app.get(API_ROUTES.readServer[1], { config: { policy: 'administrator', group: 'admin' } }, () => {
    const { rss, heapUsed } = process.memoryUsage();
    const links = [...parts.links().values()];
    const view: ServerView = {
      writ: parts.version,
      node: process.version,
      pid: process.pid,
      started: when(parts.started),
      memory: { rssBytes: rss, heapBytes: heapUsed },
      tls: { ...parts.tls(), seen: [...new Set(parts.linkProtocols())] },
      database: store.database,
      verified: { ...parts.counters },
      leaseSeconds: parts.leaseSeconds,
      links: links.length,
      held: links.reduce((sum, link) => sum + link.held, 0),
    };
    return view;
  });

  app.post(
    API_ROUTES.stopServer[1],
    { config: { policy: 'socket', group: 'admin' } },
    async (_request, reply) => {
      await reply.code(204).send();
      // After the answer has gone.
      setImmediate(parts.stop);
    },
  );

  app.get(
    API_ROUTES.readOpenApi[1],
    { config: { policy: 'member', group: 'client' } },
    async () => await parts.describeApi(),
  );

  app.get('/livez', { config: { policy: 'anyone', group: 'client' } }, () => ({ is: 'alive' }));
  app.get('/readyz', { config: { policy: 'anyone', group: 'client' } }, async () => {
    if (!parts.cluster.record())
      throw new ServerError('cluster.unclaimed', 'Nobody has claimed this server yet.');
    await store.jobs.newestChange();
    return { is: 'ready' };
  });
}
