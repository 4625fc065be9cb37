import { API_ROUTES, Prune } from '@writ/contract';
import type { FastifyInstance } from 'fastify';
import { byOf, type PeopleParts } from './people-parts.ts';

export function addRetentionRoutes(app: FastifyInstance, { prune, clock }: PeopleParts): void {
  app.post(
    API_ROUTES.prune[1],
    { config: { policy: 'administrator', group: 'admin' }, schema: { body: Prune } },
    async (request) => await prune(request.body as Prune, byOf(request.caller, clock)),
  );
}
